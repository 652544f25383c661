import numpy as np

from rnagen.evaluation.baselines import random_walk
from rnagen.submission.filling import fill
from tests.helpers.submissions import source

WALKS = random_walk(12, 3, 12).numpy().astype(np.float64)


def names(wanted: str, *sources) -> list[str]:
    found = fill("R1", list(wanted), sources)
    return [f"{one.source}{one.number}" for one in found.candidates]


def test_conformers_come_in_their_order() -> None:
    assert names("abaab", source("a", *WALKS[:4]), source("b", *WALKS[4:8])) == ["a1", "b1", "a2", "a3", "b2"]


def test_the_next_source_fills_in_and_after_the_last_the_first() -> None:
    a, b, c = source("a", *WALKS[:3]), source("b", WALKS[4]), source("c")
    assert names("bbbcc", a, b, c) == ["b1", "a1", "a2", "a3"]
    assert names("ccccc", a, b, c) == ["a1", "a2", "a3", "b1"]
    assert names("ccccc", source("a"), source("c")) == []
    (note, *_) = fill("R1", list("bbbcc"), (a, b, c)).notes
    assert note == "R1: slot 2: b has no further conformer: conformer 1 of a"


def test_duplicates_are_replaced_by_spare_conformers_alone() -> None:
    a = source("a", WALKS[0], WALKS[0] + 5, *WALKS[1:5])
    assert names("aaaaa", a) == ["a1", "a6", "a3", "a4", "a5"]
    # The next candidate of the same source is a duplicate too.
    again = source("a", WALKS[0], WALKS[0] + 5, *WALKS[1:4], WALKS[3] + 1)
    assert names("aaaaa", again, source("b", WALKS[7])) == ["a1", "b1", "a3", "a4", "a5"]
    assert names("aaaaa", again) == ["a1", "a2", "a3", "a4", "a5"]


def test_a_mirror_image_is_no_duplicate() -> None:
    a = source("a", WALKS[0], -WALKS[0], *WALKS[1:5])
    assert names("aaaaa", a) == ["a1", "a2", "a3", "a4", "a5"]
