"""Measured profiles of given sequences, out of a table of many."""

import tempfile
from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from rnagen.errors import InputError
from rnagen.tasks.reactivity.table import ReactivityTable


def measured_profiles(
    path: Path, sequences: Collection[str], experiments: tuple[str, ...]
) -> dict[str, Float32[np.ndarray, "_ E"]]:
    """Reactivity [L, E] of those of the sequences that a table in the Ribonanza layout has, by sequence.

    Only profiles that pass the table's own filter (SN_filter) count. Where there are several of a sequence, as of
    replicates, each residue has the mean of its values; NaN where there is none.

    Raises:
        InputError: as `ReactivityTable.open`, or the table has none of the experiments.
    """
    with tempfile.TemporaryDirectory() as cache:
        table = ReactivityTable.open(path, Path(cache))
        if not set(experiments) & set(table.experiments):
            reason = f"has profiles of {', '.join(table.experiments)}, not of {', '.join(experiments)}"
            raise InputError(path, None, reason)
        wanted = set(sequences)
        replicates: dict[str, list[np.ndarray]] = {}
        for example, sequence in enumerate(table.sequences()):
            if sequence not in wanted:
                continue
            profile = dict(zip(table.experiments, table.reactivity(example).T))
            passed = dict(zip(table.experiments, table.sn_filter[example]))
            nothing = np.full(len(sequence), np.nan, dtype=np.float32)
            columns = [profile[name] if passed.get(name, False) else nothing for name in experiments]
            replicates.setdefault(sequence, []).append(np.column_stack(columns))
    means = {sequence: _mean(np.stack(values)) for sequence, values in replicates.items()}
    return {sequence: mean for sequence, mean in means.items() if np.isfinite(mean).any()}


def _mean(values: Float32[np.ndarray, "R L E"]) -> Float32[np.ndarray, "L E"]:
    """Mean of the finite values, NaN where there are none."""
    finite = np.isfinite(values)
    total = np.where(finite, values, np.float32(0)).sum(axis=0)
    return np.divide(total, finite.sum(axis=0), out=np.full_like(total, np.nan), where=finite.any(axis=0))
