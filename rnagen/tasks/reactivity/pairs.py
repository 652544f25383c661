"""Base-pair probabilities of many sequences, computed once and mapped from one file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int64
from pyarrow import ipc

from rnagen.io.arrow import MappedFile
from rnagen.io.files import atomic_write
from rnagen.parallel import parallel_map
from rnagen.secondary.pairs import MINIMUM_PROBABILITY, SparsePairs

CHUNK = 64
"""Sequences handed to a worker at a time: a second of work, against a millisecond for the handover."""
SCHEMA = pa.schema(
    {"number": pa.int64(), "pairs": pa.list_(pa.int16()), "probabilities": pa.list_(pa.float32())}, {"format": "1"}
)
"""One row per distinct sequence: its number among them all, sorted, and its pairs, i and j in turn."""


@dataclass(frozen=True)
class MappedPairs:
    """Base pairs of N sequences."""

    file: MappedFile
    rows: Int64[np.ndarray, " N"]
    """Row of the file for each sequence."""
    lengths: Int64[np.ndarray, " N"]

    @classmethod
    def of(cls, sequences: Sequence[str], cache: Path, workers: int = 1) -> "MappedPairs":
        """Map the pairs of these sequences, computing them if the folder `cache` does not hold them yet.

        The file is identified by the set of sequences, ViennaRNA's version and the smallest stored probability, and
        appears whole or not at all.

        Raises:
            ValueError: as `sparse_base_pairs`.
        """
        # Not at the top: models and their batches work without ViennaRNA.
        import RNA

        numbers, different = pd.factorize(np.array(sequences, dtype=object), sort=True)
        key = hashlib.sha256(f"{SCHEMA.metadata} {RNA.__version__} {MINIMUM_PROBABILITY}\n".encode())
        key.update("\n".join(different).encode())
        file = MappedFile(cache / f"pairs-{key.hexdigest()[:32]}.arrow")
        if not file.path.is_file():
            _compute_all(list(different), file.path, workers)
        row_of = np.argsort(file.table["number"].to_numpy())
        return cls(file, row_of[numbers], np.array([len(sequence) for sequence in sequences], dtype=np.int64))

    def __len__(self) -> int:
        """Number of sequences N."""
        return len(self.rows)

    def __getitem__(self, index: int) -> SparsePairs:
        """The pairs of one sequence."""
        row = int(self.rows[index])
        pairs, probabilities = (self.file.table[name][row].values.to_numpy() for name in ("pairs", "probabilities"))
        return SparsePairs(int(self.lengths[index]), pairs.reshape(-1, 2), probabilities)


def _compute_all(sequences: list[str], file: Path, workers: int) -> None:
    """Start with the longest; the rows of the file are in the order of completion."""
    order = sorted(range(len(sequences)), key=lambda n: -len(sequences[n]))
    items = [tuple((n, sequences[n]) for n in order[start : start + CHUNK]) for start in range(0, len(order), CHUNK)]
    with atomic_write(file) as opened, ipc.new_file(opened, SCHEMA) as writer:
        for item, found in parallel_map(_compute, items, workers, f"Base pairs of {len(sequences)} sequences"):
            columns = {
                "number": [n for n, _ in item],
                "pairs": [pairs.pairs.ravel() for pairs in found],
                "probabilities": [pairs.probabilities for pairs in found],
            }
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))


def _compute(item: tuple[tuple[int, str], ...]) -> list[SparsePairs]:
    from rnagen.secondary.vienna import sparse_base_pairs

    return [sparse_base_pairs(sequence) for _, sequence in item]
