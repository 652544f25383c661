"""Base-pair probabilities of users: each format is read, and each fault is named."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import RNA

from rnagen.errors import InputError
from rnagen.io.pair_matrix import is_pair_matrix, matrix_of, read_pair_matrix
from rnagen.secondary.pairs import MINIMUM_PROBABILITY, SparsePairs
from rnagen.secondary.vienna import base_pair_probabilities

SEQUENCE = "GGGAAACUUCGGUUUCCC"
PROBABILITIES = base_pair_probabilities(SEQUENCE)


@pytest.mark.parametrize("part", [np.array, np.triu, np.tril, np.float16, np.float64])
def test_a_matrix_symmetric_or_one_triangle_of_any_precision(tmp_path: Path, part) -> None:
    np.save(tmp_path / "a.npy", part(PROBABILITIES))
    assert is_pair_matrix((tmp_path / "a.npy").read_bytes())
    found = SparsePairs.of(read_pair_matrix(tmp_path / "a.npy", SEQUENCE))
    np.testing.assert_allclose(found.dense(), PROBABILITIES, atol=1e-3)


def test_gzip_and_another_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", PROBABILITIES)
    (tmp_path / "b").write_bytes(gzip.compress((tmp_path / "a.npy").read_bytes()))
    one, other = (read_pair_matrix(tmp_path / name, SEQUENCE) for name in ("a.npy", "b"))
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != matrix_of(PROBABILITIES / 2, SEQUENCE).fingerprint


def test_a_dot_plot_of_viennarna(tmp_path: Path) -> None:
    RNA.fold(SEQUENCE)
    RNA.pf_fold(SEQUENCE)
    assert RNA.PS_dot_plot(SEQUENCE, str(tmp_path / "a_dp.ps"))
    found = read_pair_matrix(tmp_path / "a_dp.ps", SEQUENCE)
    np.testing.assert_allclose(SparsePairs.of(found).dense(), PROBABILITIES, atol=1e-3)
    with pytest.raises(InputError, match=r"a_dp.ps: is of another sequence: G in place 2, where it is C: give the"):
        read_pair_matrix(tmp_path / "a_dp.ps", SEQUENCE.replace("GGGA", "GCGA"))
    with pytest.raises(InputError, match="is of 18 residues, but the sequence has 17"):
        read_pair_matrix(tmp_path / "a_dp.ps", SEQUENCE[1:])


def test_few_pairs_stay_out(tmp_path: Path) -> None:
    values = np.zeros((18, 18))
    values[0, 17], values[1, 16] = MINIMUM_PROBABILITY / 2, 0.5
    assert SparsePairs.of(matrix_of(values, SEQUENCE)).pairs.tolist() == [[1, 16]]
    assert matrix_of(np.zeros((18, 18)), SEQUENCE).warning is None


def test_sums_above_one_are_a_warning() -> None:
    values = np.zeros((18, 18))
    values[3, 10:13] = 0.5
    warning = matrix_of(values, SEQUENCE).warning
    assert warning is not None
    assert "residue 4 add up to 1.50" in warning
    assert matrix_of(PROBABILITIES, SEQUENCE).warning is None


def changed(i: int, j: int, value: float) -> np.ndarray:
    values = PROBABILITIES.copy()
    values[i, j] = value
    return values


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (PROBABILITIES[:5, :5], "a.npy: is 5 × 5, but the sequence has 18 residues: give a matrix of 18 × 18"),
        (PROBABILITIES[0], "is 18, but"),
        (changed(1, 16, np.nan), "row 2, column 17: not a finite number: write 0"),
        (changed(1, 16, 1.5), "row 2, column 17: 1.5: a probability must lie between 0 and 1"),
        (changed(1, 16, -1), "row 2, column 17: -1: a probability must"),
        (changed(1, 16, 0.5), r"row 2, column 17: 0.5 there, 0.9\d* at 17, 2: make the matrix symmetric"),
        (changed(4, 4, 0.5), "row 5, column 5: a residue that is paired with itself: set the diagonal to 0"),
        (np.full((18, 18), "x"), "has values of type <U1: save base-pair probabilities as numbers"),
        (np.zeros((18, 18), complex), "has values of type complex128"),
    ],
)
def test_a_fault_of_a_matrix_is_named(tmp_path: Path, values: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=words):
        read_pair_matrix(tmp_path / "a.npy", SEQUENCE)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x93NUMPY\x01\x00nonsense", "cannot be read as a NumPy array: .*; save it by numpy.save"),
        (b"0.5 0.5", "neither a NumPy array"),
        (b"", "empty file"),
        (b"%!PS-Adobe\n/pairs [\n", r"has no base-pair probabilities \(ubox\): give the NAME_dp.ps"),
        (b"%!PS\n/ubox {\n1 19 0.5 ubox\n", "1 19 0.5 ubox: is not a pair of two of the 18 residues"),
        (b"%!PS\n/ubox {\n2 2 0.5 ubox\n", "2 2 0.5 ubox: is not a pair"),
        (b"%!PS\n/ubox {\n1 18 1.5 ubox\n", "1 18 1.5 ubox: is not the square root of a probability"),
        (b"%!PS\n/ubox {\n1 18 nan ubox\n", "is not the square root"),
        (b"%!PS\n/ubox {\n1 18 x ubox\n", "is not the square root"),
        (b"%!PS\n/sequence { (\\\nGG?\\\n) } def\n/ubox {\n", "sequence: "),
    ],
)
def test_a_fault_of_a_file_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_pair_matrix(tmp_path / "a", SEQUENCE)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[object()]]), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as a NumPy array"):
        read_pair_matrix(tmp_path / "a.npy", SEQUENCE)
