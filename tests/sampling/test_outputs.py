"""Reading back what a run has written."""

from pathlib import Path

import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.io import read
from rnagen.io.write import write_structure
from rnagen.sampling import outputs
from rnagen.sampling.outputs import OutputFolder
from rnagen.structure import BEADS, RNAStructure

SEQUENCE = "ACGUACGU"


def _structure(seed: int) -> RNAStructure:
    coords = np.random.default_rng(seed).normal(0, 20, (2, len(SEQUENCE), len(BEADS), 3)).astype(np.float32)
    return RNAStructure("rna", SEQUENCE, coords, np.ones(coords.shape[:-1], dtype=bool), BEADS)


def test_a_file_is_read_once_until_it_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The submission table and the page read the same file one after the other."""
    calls: list[Path] = []

    def counted(path: Path) -> list[RNAStructure]:
        calls.append(path)
        return read.read_structures(path)

    monkeypatch.setattr(outputs, "read_structures", counted)
    (tmp_path / "rna").mkdir()
    path = tmp_path / "rna" / "ensemble.cif"
    for seed in range(2):
        expected = _structure(seed)
        write_structure(expected, path)
        for _ in range(2):
            # Another object of the same folder, as that of the page is.
            found = OutputFolder(tmp_path, "cif", {"rna": "rna"}).read_target("rna", SEQUENCE).select_atoms(BEADS)
            assert np.allclose(found.coords, expected.coords, atol=6e-4)
        assert len(calls) == seed + 1
    path.unlink()
    with pytest.raises(InputError):
        OutputFolder(tmp_path, "cif", {"rna": "rna"}).read_target("rna", SEQUENCE)
