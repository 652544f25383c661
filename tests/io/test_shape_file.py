"""`.shape` files."""

from pathlib import Path

import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.io.shape_file import is_shape, read_shape

FILE = Path("x.shape")


def test_values_errors_comments_and_unknown_residues() -> None:
    lines = ["# mine", "2\t0.5\t0.1", "", "1  -999", " 3 -0.2", "4 NaN 0", "6 1e-1"]
    np.testing.assert_allclose(read_shape(FILE, lines, 6), [np.nan, 0.5, -0.2, np.nan, np.nan, 0.1], rtol=1e-6)


@pytest.mark.parametrize(("line", "expected"), [("1 0.5", True), ("1 0.5 1", True), ("1 G 5", False), ("1,2", False)])
def test_recognised_by_its_first_line(line: str, expected: bool) -> None:
    assert is_shape(line) == expected


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["1 0.5", "what"], "what: is not a residue's number"),
        (["1 1", "1 2"], "residue 1: is given twice"),
        (["0 1"], "residue 0: is not one of the 3 residues"),
        (["4 1"], "residue 4: is not one of the 3 residues"),
    ],
)
def test_bad_lines_are_named(lines: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_shape(FILE, lines, 3)
