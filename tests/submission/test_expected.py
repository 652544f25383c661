import numpy as np

from rnagen.submission.candidates import Candidate
from rnagen.submission.expected import expected_best, expected_lines


def candidates(*predictions: float | None) -> list[Candidate]:
    return [Candidate("a", k, np.zeros((3, 3)), value) for k, value in enumerate(predictions, start=1)]


def test_the_largest_prediction_counts() -> None:
    assert expected_best(candidates(0.2, None, 0.4, 0.3)) == 0.4
    assert expected_best(candidates(None, None)) is None


def test_targets_without_a_prediction_are_left_out_of_the_mean() -> None:
    lines = expected_lines({"R1": candidates(0.2, 0.4), "R2": candidates(None), "R3": candidates(None, 0.2)})
    assert lines[1] == "  R1  0.400  slot 2, a; 2 of 2 slots predicted"
    assert lines[2] == "  R3  0.200  slot 2, a; 1 of 2 slots predicted"
    assert lines[3] == "  mean of 2 of 3 targets: 0.300"
    assert not expected_lines({"R2": candidates(None)})
