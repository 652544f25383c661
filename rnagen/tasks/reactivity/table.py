"""Chemical-mapping profiles in the Ribonanza layout: one memory-mapped table, whatever the format of the file.

A file has one row per profile: `sequence_id`, `sequence`, `experiment_type`, `reactivity_0001` …, and perhaps
`signal_to_noise` and `SN_filter`; other columns, the errors among them, are not read. It is converted once to an
uncompressed Arrow file in a cache folder, which is then mapped: memory holds the pages in use, not the values.
"""

import warnings
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Int32, Int64

from rnagen.errors import InputError
from rnagen.io.files import hash_files
from rnagen.tasks.reactivity.convert import FORMAT, convert
from rnagen.tasks.reactivity.mapped import map_table


@dataclass(frozen=True)
class ReactivityTable:
    """N examples of E experiments each.

    The rows of one `sequence_id` are one example. Not of one sequence: the replicates of a sequence are measurements of
    their own, with noise of their own. A second row of the same id and experiment is a replicate too: the k-th rows of
    an id make its k-th example.
    """

    path: Path
    fingerprint: str
    """SHA-256 of the file's contents."""
    experiments: tuple[str, ...]
    """The E experiment types; the order of the channels of a model."""
    rows: Int32[np.ndarray, "N E"]
    """Row of the profiles that holds an experiment of an example; −1 where it was not measured."""
    unusable: tuple[InputError, ...]
    """One error per row that was left out because its sequence has letters that are no nucleotide."""
    converted: Path
    """The Arrow file."""

    @classmethod
    def open(cls, path: Path, cache: Path, experiments: tuple[str, ...] = ()) -> "ReactivityTable":
        """Map a parquet or CSV file (told apart by content), converting it where `cache` does not hold it yet.

        Args:
            path: the file.
            cache: folder of converted files; a file is known by its contents, not by its name.
            experiments: the experiment types and their order; those of the file, sorted, where none are given.

        Warns of rows with unusable sequences, which are left out (`unusable`), of unknown bases (N), and of a missing
        column SN_filter (every row then counts as passing).

        Raises:
            InputError: the file is missing, is no table, lacks a column or has no usable row; a cell is no number; a
                sequence has more residues than there are reactivity columns; an id has two sequences; an experiment
                type is not in `experiments`.
        """
        if not path.is_file():
            raise InputError(path, None, "no such file")
        fingerprint = hash_files([path])
        converted = cache / f"profiles-{FORMAT}-{fingerprint[:32]}.arrow"
        if not converted.is_file():
            convert(path, converted)
        profiles = map_table(converted)
        faults = profiles["fault"].combine_chunks()
        usable = faults.is_null().to_numpy(zero_copy_only=False)
        unusable = _errors(path, profiles, faults)
        if not usable.any():
            raise unusable[0] if unusable else InputError(path, None, "has no rows")
        if unusable:
            warnings.warn(f"{len(unusable)} rows left out, the first of them {unusable[0]}", stacklevel=2)
        if profiles.schema.metadata[b"sn_filter"] == b"absent":
            warnings.warn(f"{path}: no column SN_filter: every profile counts as passing it", stacklevel=2)
        unknown = np.asarray(pc.match_substring(profiles["sequence"], "N").combine_chunks().fill_null(False))
        if unknown.any():
            warnings.warn(f"{path}: unknown bases (N) in {unknown.sum()} sequences", stacklevel=2)
        experiments = experiments or tuple(sorted(pc.unique(profiles["experiment"].filter(usable)).to_pylist()))
        return cls(path, fingerprint, experiments, _examples(path, profiles, usable, experiments), unusable, converted)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        """Pickled without the profiles: a worker process maps the same file."""
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def __len__(self) -> int:
        """Number of examples N."""
        return len(self.rows)

    @cached_property
    def profiles(self) -> Any:
        """The mapped `pyarrow.Table`; its columns are those of `rnagen.tasks.reactivity.convert.SCHEMA`."""
        return map_table(self.converted)

    @cached_property
    def lengths(self) -> Int64[np.ndarray, " N"]:
        """Residues of each example's sequence."""
        return np.asarray(pc.utf8_length(self.profiles["sequence"]))[self.rows.max(axis=1)].astype(np.int64)

    @cached_property
    def signal_to_noise(self) -> Float32[np.ndarray, "N E"]:
        """As in the file; NaN where it is unknown or nothing was measured."""
        values = self.profiles["signal_to_noise"].to_numpy()
        return np.where(self.rows >= 0, values[self.rows], np.float32(np.nan))

    @cached_property
    def sn_filter(self) -> Bool[np.ndarray, "N E"]:
        """Whether a profile passes the data set's own filter; False where nothing was measured."""
        return (self.rows >= 0) & self.profiles["sn_filter"].to_numpy().astype(bool)[self.rows]

    def sequence(self, example: int) -> str:
        """Sequence over `BASES`."""
        return str(self.profiles["sequence"][int(self.rows[example].max())])

    def sequences(self) -> list[str]:
        """The sequences of all examples, in order."""
        found: list[str] = self.profiles["sequence"].take(pa.array(self.rows.max(axis=1))).to_pylist()
        return found

    def name(self, example: int) -> str:
        """The `sequence_id` of an example."""
        return str(self.profiles["sequence_id"][int(self.rows[example].max())])

    def reactivity(self, example: int) -> Float32[np.ndarray, "L E"]:
        """Reactivities as in the file, NaN where there is no value; columns beyond the sequence are not looked at."""
        length = int(self.lengths[example])
        out = np.full((length, len(self.experiments)), np.nan, dtype=np.float32)
        for channel, row in enumerate(self.rows[example]):
            if row >= 0:
                out[:, channel] = self.profiles["reactivity"][int(row)].values.to_numpy()[:length]
        return out


def _errors(path: Path, profiles: Any, faults: Any) -> tuple[InputError, ...]:
    bad = profiles.append_column("reason", faults).filter(pc.is_valid(faults)).select(["sequence_id", "reason"])
    return tuple(InputError(path, row["sequence_id"], row["reason"]) for row in bad.to_pylist())


def _examples(
    path: Path, profiles: Any, usable: Bool[np.ndarray, " rows"], experiments: tuple[str, ...]
) -> Int32[np.ndarray, "N E"]:
    """Rows of each example, in the order in which the ids first appear."""
    rows = np.flatnonzero(usable)
    ids, sequences = (_codes(profiles[column], rows) for column in ("sequence_id", "sequence"))
    channels = pc.index_in(profiles["experiment"].combine_chunks(), pa.array(experiments))
    channel = np.asarray(channels.fill_null(-1))[rows].astype(np.int64)
    if (channel < 0).any():
        row = rows[np.argmax(channel < 0)]
        reason = f"experiment type {profiles['experiment'][row]} is none of {', '.join(experiments)}"
        raise InputError(path, str(profiles["sequence_id"][row]), reason)
    _, first = np.unique(ids, return_index=True)
    if (sequences != sequences[first[ids]]).any():
        row = rows[np.argmax(sequences != sequences[first[ids]])]
        raise InputError(path, str(profiles["sequence_id"][row]), "the id has two sequences")
    slot = ids * len(experiments) + channel
    order = np.argsort(slot, kind="stable")
    _, starts, counts = np.unique(slot[order], return_index=True, return_counts=True)
    replicate = np.empty_like(slot)
    replicate[order] = np.arange(len(slot)) - np.repeat(starts, counts)
    _, example = np.unique(ids * counts.max() + replicate, return_inverse=True)
    out = np.full((example.max() + 1, len(experiments)), -1, dtype=np.int32)
    out[example, channel] = rows
    return out


def _codes(column: Any, rows: Int64[np.ndarray, " usable"]) -> Int64[np.ndarray, " usable"]:
    """A number per value, counted in the order of first appearance."""
    return column.take(pa.array(rows)).combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
