import numpy as np
import pytest

from rnagen.strands import MOST, bounds, lengths_of, split_text, strand_numbers, with_separators


def test_one_strand_has_no_lengths() -> None:
    assert lengths_of(split_text("GGGC")) == ()
    assert with_separators("GGGC", ()) == "GGGC"
    assert bounds((), 4) == [(0, 4)]
    assert not strand_numbers((), 4).any()


def test_lengths_and_text_say_the_same() -> None:
    strands = lengths_of(split_text("GGGC&A&CC"))
    assert strands == (4, 1, 2)
    assert with_separators("GGGCACC", strands) == "GGGC&A&CC"
    assert bounds(strands, 7) == [(0, 4), (4, 5), (5, 7)]
    assert np.array_equal(strand_numbers(strands, 7), [0, 0, 0, 0, 1, 2, 2])


@pytest.mark.parametrize(("text", "number"), [("&GG", 1), ("GG&", 2), ("GG&&CC", 2), ("GG& \n&CC", 2)])
def test_an_empty_strand_is_refused(text: str, number: int) -> None:
    with pytest.raises(ValueError, match=f"strand {number} is empty"):
        split_text(text)


def test_more_strands_than_chain_names_are_refused() -> None:
    assert len(split_text("&".join("G" * MOST))) == MOST
    with pytest.raises(ValueError, match="63 strands: at most 62"):
        split_text("&".join("G" * (MOST + 1)))
