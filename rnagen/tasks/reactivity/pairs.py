"""Base-pair probabilities of many sequences, folded once and mapped from one file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int64
from pyarrow import ipc

from rnagen.io.files import atomic_write
from rnagen.parallel import parallel_map
from rnagen.secondary.pairs import MINIMUM_PROBABILITY, SparsePairs
from rnagen.tasks.reactivity.mapped import map_table

CHUNK = 64
"""Sequences that a worker folds at a time: a second of work, against a millisecond of handing it over."""
SCHEMA = pa.schema(
    {"number": pa.int64(), "pairs": pa.list_(pa.int16()), "probabilities": pa.list_(pa.float32())}, {"format": "1"}
)
"""One row per different sequence: its number among them all, sorted, and its pairs, i and j in turn."""


@dataclass(frozen=True)
class MappedPairs:
    """Base pairs of N sequences."""

    file: Path
    rows: Int64[np.ndarray, " N"]
    """Row of the file for each sequence."""
    lengths: Int64[np.ndarray, " N"]

    @classmethod
    def of(cls, sequences: Sequence[str], cache: Path, workers: int = 1) -> "MappedPairs":
        """Map the pairs of these sequences, folding them where the folder `cache` does not hold them yet.

        The file is known by the set of sequences, ViennaRNA's version and the smallest probability kept, and appears
        whole or not at all.

        Raises:
            ValueError: as `sparse_base_pairs`.
        """
        # Not at the top: models and their batches can do without ViennaRNA.
        import RNA

        different = sorted(set(sequences))
        key = hashlib.sha256(f"{SCHEMA.metadata} {RNA.__version__} {MINIMUM_PROBABILITY}\n".encode())
        key.update("\n".join(different).encode())
        file = cache / f"pairs-{key.hexdigest()[:32]}.arrow"
        if not file.is_file():
            _fold_all(different, file, workers)
        number = {sequence: n for n, sequence in enumerate(different)}
        numbers = np.array([number[sequence] for sequence in sequences], dtype=np.int64)
        row_of = np.argsort(map_table(file)["number"].to_numpy())
        return cls(file, row_of[numbers], np.array([len(sequence) for sequence in sequences], dtype=np.int64))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        """Pickled without the pairs: a worker process maps the same file."""
        return type(self), (self.file, self.rows, self.lengths)

    def __len__(self) -> int:
        """Number of sequences N."""
        return len(self.rows)

    def __getitem__(self, index: int) -> SparsePairs:
        """The pairs of one sequence."""
        row = int(self.rows[index])
        pairs, probabilities = (self._table[name][row].values.to_numpy() for name in ("pairs", "probabilities"))
        return SparsePairs(int(self.lengths[index]), pairs.reshape(-1, 2), probabilities)

    @cached_property
    def _table(self) -> Any:
        return map_table(self.file)


def _fold_all(sequences: list[str], file: Path, workers: int) -> None:
    """Fold the sequences, the longest first; the rows of the file are in the order in which they got done."""
    order = sorted(range(len(sequences)), key=lambda n: -len(sequences[n]))
    items = [tuple((n, sequences[n]) for n in order[start : start + CHUNK]) for start in range(0, len(order), CHUNK)]
    with atomic_write(file) as opened, ipc.new_file(opened, SCHEMA) as writer:
        for item, folded in parallel_map(_fold, items, workers, f"Folding {len(sequences)} sequences"):
            columns = {
                "number": [n for n, _ in item],
                "pairs": [pairs.pairs.ravel() for pairs in folded],
                "probabilities": [pairs.probabilities for pairs in folded],
            }
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))


def _fold(item: tuple[tuple[int, str], ...]) -> list[SparsePairs]:
    from rnagen.secondary.vienna import sparse_base_pairs

    return [sparse_base_pairs(sequence) for _, sequence in item]
