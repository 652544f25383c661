"""Local base pairs against what is known without them."""

import numpy as np
import pytest

from rnagen.secondary import local
from rnagen.secondary.local import local_base_pairs
from rnagen.secondary.vienna import base_pair_probabilities

STEM = "GGGCGCAUCGAGCC"
HAIRPIN = STEM + "GAAA" + STEM[::-1].translate(str.maketrans("ACGU", "UGCA"))


WINDOW, SPAN = 150, 100


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few windows of few residues: time grows with the square."""
    monkeypatch.setattr(local, "WINDOW", WINDOW)
    monkeypatch.setattr(local, "SPAN", SPAN)


def hairpin_at(start: int, sequence: str) -> np.ndarray:
    """Probabilities of the pairs of the hairpin that begins there."""
    dense, end = local_base_pairs(sequence).dense(), start + len(HAIRPIN) - 1
    return np.array([dense[start + k, end - k] for k in range(len(STEM))])


def test_between_residues_that_pair_with_nothing_a_hairpin_is_the_same_wherever_it_is() -> None:
    """The windows that hold it, and those that cut it, are as many at the ends as elsewhere; whole, it is sure."""
    length = 3 * WINDOW

    def at(start: int) -> np.ndarray:
        return hairpin_at(start, "A" * start + HAIRPIN + "A" * (length - start - len(HAIRPIN)))

    alone = base_pair_probabilities("AAAAA" + HAIRPIN + "AAAAA")[5:-5, 5:-5]
    assert alone[np.arange(len(STEM)), len(HAIRPIN) - 1 - np.arange(len(STEM))].min() > 0.99
    middle = at(WINDOW)
    cut, whole = len(HAIRPIN) - 1, WINDOW - len(HAIRPIN) + 1
    assert (middle[1:] > 0.99 / (1 + cut / whole)).all()
    for start in (0, 3, length - len(HAIRPIN) - 3, length - len(HAIRPIN)):
        # But for what residues beside it add to the energy.
        np.testing.assert_allclose(at(start)[1:], middle[1:], atol=0.02)


def test_at_the_ends_a_hairpin_is_as_sure_as_in_the_middle() -> None:
    """Among residues that pair with others: whichever windows cut it, most hold it whole."""
    rng = np.random.default_rng(1)
    before, after = ("".join(rng.choice(list("ACGU"), 250)) for _ in range(2))
    middle = hairpin_at(250, before + HAIRPIN + after).min()
    assert middle > 0.7
    assert hairpin_at(0, HAIRPIN + before + after).min() > middle
    assert hairpin_at(500, before + after + HAIRPIN).min() > middle


def test_no_pair_reaches_further_than_the_span() -> None:
    pairs = local_base_pairs(STEM + "A" * (2 * WINDOW) + HAIRPIN[-len(STEM) :]).pairs
    assert (np.diff(pairs, axis=1) < SPAN).all()
