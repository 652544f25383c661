"""Chemical-mapping profiles in the Ribonanza layout: one memory-mapped table, whatever the format of the file.

A file has one row per profile: `sequence_id`, `sequence`, `experiment_type`, `reactivity_0001` …, and optionally
`signal_to_noise` and `SN_filter`; other columns, the errors among them, are ignored. An RDAT file is read as such a
table. It is converted once to an uncompressed Arrow file in a cache folder, which is then mapped: memory holds the
pages in use, not the values.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Int32, Int64

from rnagen.errors import InputError
from rnagen.io.arrow import MappedFile
from rnagen.io.files import hash_files
from rnagen.io.reactivity_conversion import FORMAT, convert_profiles
from rnagen.messages import number_of


@dataclass(frozen=True)
class ReactivityTable:
    """N examples of E experiments each.

    The rows of one `sequence_id` are one example, the rows of one sequence are not: replicates of a sequence are
    independent measurements. A second row of the same id and experiment is a replicate too: the k-th rows of an id
    make its k-th example.
    """

    path: Path
    fingerprint: str
    """SHA-256 of the file's contents."""
    experiments: tuple[str, ...]
    """The E experiment types, in the order of a model's outputs."""
    rows: Int32[np.ndarray, "N E"]
    """Row of the profiles that holds an experiment of an example; −1 where it was not measured."""
    unusable: tuple[InputError, ...]
    """One error for each row that was left out: it has no id or experiment, its sequence has characters that are not
    nucleotides or more residues than there are reactivity columns, a cell is not a number, or it is a profile of an
    RDAT file that does not fit its sequence."""
    converted: MappedFile

    @classmethod
    def open(cls, path: Path, cache: Path, experiments: tuple[str, ...] = ()) -> "ReactivityTable":
        """Map a parquet, CSV or RDAT file (recognised by its content), converting it if `cache` does not hold it yet.

        Args:
            path: the file.
            cache: folder of converted files; a file is identified by its contents, not by its name.
            experiments: the experiment types and their order; by default those of the file, sorted.

        Warns of unusable rows, which are left out (`unusable`), of unknown bases (N), and of a missing
        column SN_filter (every row then counts as passing).

        Raises:
            InputError: the file is missing, is not a table, lacks a column or has no usable row; an id has two
                sequences; an experiment type is not in `experiments`.
        """
        if not path.is_file():
            raise InputError(path, None, "no such file")
        fingerprint = hash_files([path])
        converted = MappedFile(cache / f"profiles-{FORMAT}-{fingerprint[:32]}.arrow")
        if not converted.path.is_file():
            convert_profiles(path, converted.path)
        profiles = converted.table
        usable = np.asarray(pc.is_null(profiles["fault"]))
        faults = profiles.select(["sequence_id", "fault"]).filter(pa.array(~usable)).to_pylist()
        unusable = tuple(InputError(path, row["sequence_id"], row["fault"]) for row in faults)
        if not usable.any():
            raise unusable[0] if unusable else InputError(path, None, "has no rows")
        if unusable:
            warnings.warn(f"{number_of(len(unusable), 'row')} left out, the first of them {unusable[0]}", stacklevel=2)
        if profiles.schema.metadata[b"sn_filter"] == b"absent":
            warnings.warn(f"{path}: no column SN_filter: every profile counts as passing it", stacklevel=2)
        unknown = pc.sum(pc.match_substring(profiles["sequence"], "N")).as_py()
        if unknown:
            warnings.warn(f"{path}: unknown bases (N) in {unknown} sequences", stacklevel=2)
        experiments = experiments or tuple(sorted(pc.unique(profiles["experiment"].filter(usable)).to_pylist()))
        return cls(path, fingerprint, experiments, _examples(path, profiles, usable, experiments), unusable, converted)

    def __len__(self) -> int:
        """Number of examples N."""
        return len(self.rows)

    @property
    def profiles(self) -> Any:
        """The mapped `pyarrow.Table` with the columns of `SCHEMA` and `reactivity`."""
        return self.converted.table

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
        """Reactivities as in the file, NaN where there is no value; columns beyond the sequence are ignored."""
        length = int(self.lengths[example])
        out = np.full((length, len(self.experiments)), np.nan, dtype=np.float32)
        for channel, row in enumerate(self.rows[example]):
            if row >= 0:
                out[:, channel] = self.profiles["reactivity"][int(row)].values.to_numpy()[:length]
        return out


def _examples(
    path: Path, profiles: Any, usable: Bool[np.ndarray, " rows"], experiments: tuple[str, ...]
) -> Int32[np.ndarray, "N E"]:
    """Rows of each example, in the order in which the ids first appear."""
    names = ["sequence_id", "sequence", "experiment"]
    frame = profiles.select(names).filter(pa.array(usable)).to_pandas(categories=names)
    channel = pd.Index(experiments).get_indexer(frame["experiment"])
    if (channel < 0).any():
        row = frame[channel < 0].iloc[0]
        reason = f"experiment type {row['experiment']} is not one of {', '.join(experiments)}"
        raise InputError(path, row["sequence_id"], reason)
    example_id, sequence = pd.factorize(frame["sequence_id"])[0], frame["sequence"].cat.codes
    different = (sequence.groupby(example_id).transform("first") != sequence).to_numpy()
    if different.any():
        raise InputError(path, frame["sequence_id"][different.argmax()], "the id has two sequences")
    replicate = frame.groupby([example_id, channel]).cumcount()
    example = frame.groupby([example_id, replicate]).ngroup()
    out = np.full((example.max() + 1, len(experiments)), -1, dtype=np.int32)
    out[example, channel] = np.flatnonzero(usable)
    return out
