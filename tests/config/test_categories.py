"""The label of an RNA is one of the categories of the model, or refused with what is known."""

import re

import pytest

from rnagen.config.categories import category_number
from rnagen.errors import ConfigError
from rnagen.structure import NO_LABEL

KNOWN = ("riboswitch", "ribozyme", "tRNA")


def test_categories_are_numbered_from_one() -> None:
    assert [category_number(label, KNOWN) for label in (None, *KNOWN)] == [NO_LABEL, 1, 2, 3]
    assert category_number(None, ()) == NO_LABEL


@pytest.mark.parametrize(
    ("label", "known", "words"),
    [
        (
            "tRna",
            KNOWN,
            "label: this model does not know 'tRna' (did you mean tRNA?); choose from riboswitch, ribozyme, t",
        ),
        ("", KNOWN, "does not know ''; choose from"),
        ("x", tuple(map(str, range(1000))), "choose from 0, 1, 2"),
        ("tRNA", (), "label: this model cannot read one (it was trained without --labels)"),
    ],
)
def test_another_label_is_one_line_that_lists_the_known_ones(label: str, known: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)) as error:
        category_number(label, known)
    assert len(str(error.value)) < 450
