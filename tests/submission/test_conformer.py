import numpy as np
import pytest

from rnagen.evaluation.baselines import random_walk
from rnagen.submission.conformer import faults_of

WALK = random_walk(10, 1, 1)[0].numpy().astype(np.float64)


def broken(row: int, value: float) -> np.ndarray:
    changed = WALK.copy()
    changed[row, 1] = value
    return changed


def test_a_chain_has_no_fault() -> None:
    assert faults_of(WALK) == []
    assert faults_of(WALK[:1]) == []
    # A break between two chains.
    assert faults_of(np.concatenate([WALK, WALK + 200])) == []


@pytest.mark.parametrize(
    ("xyz", "kind", "row"),
    [
        (WALK * np.nan, "missing conformer", None),
        (broken(4, np.nan), "missing coordinate", 4),
        (broken(4, -np.inf), "infinite coordinate", 4),
        (WALK * 0, "all zero", None),
        (WALK * 0 + 3, "impossible step", None),
        (broken(0, 9999.0), "out of range", 0),
        (broken(9, -1000.0), "out of range", 9),
        (WALK[[0, 1, 1, 2, 3]], "impossible step", 2),
        (WALK / 10, "impossible step", None),
        (WALK * 10, "impossible step", None),
    ],
)
def test_each_fault_is_named(xyz: np.ndarray, kind: str, row: int | None) -> None:
    (fault,) = faults_of(xyz)
    assert (fault.kind, fault.row) == (kind, row)
