"""Measured profiles that do not come as a table: as rows of the Ribonanza layout, and which experiment fits which."""

import gzip
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from rnagen.io.files import GZIP_MAGIC

FAULT = "fault of the profile"
"""Column of `profile_table` with the reason why a profile cannot be used; tables of other origin do not have it."""
_SHAPE_REAGENTS = frozenset(["shape", "1m6", "1m7", "2a3", "5nia", "bzcn", "fai", "nai", "nai-n3", "nmia"])
_BEGINNING = 1 << 16
MOST_VALUES = 1 << 28
"""Of a table of profiles, 1 GiB: each has as many columns as the longest has values."""


@dataclass(frozen=True)
class Profile:
    """The reactivity of one RNA in one experiment."""

    name: str
    sequence: str
    experiment: str
    reactivity: Float32[np.ndarray, " L"]
    """NaN where there is no value."""
    signal_to_noise: float = float("nan")
    fault: str | None = None
    """Why it cannot be used."""


def profile_table(profiles: Sequence[Profile]) -> Any:
    """A `pyarrow.Table` in the Ribonanza layout, one row per profile, with the column `FAULT`.

    Raises:
        ValueError: many profiles, one of which is very long, are more values than `MOST_VALUES`.
    """
    longest = max(len(profile.reactivity) for profile in profiles)
    if len(profiles) * longest > MOST_VALUES:
        raise ValueError(f"{len(profiles)} profiles of up to {longest} values are too many for one table: split it")
    values = np.full((len(profiles), longest), np.nan, dtype=np.float32)
    for row, profile in zip(values, profiles):
        row[: len(profile.reactivity)] = profile.reactivity
    columns: dict[str, Any] = {
        "sequence_id": pa.array([profile.name for profile in profiles], pa.string()),
        "sequence": pa.array([profile.sequence for profile in profiles], pa.string()),
        "experiment_type": pa.array([profile.experiment for profile in profiles], pa.string()),
        "signal_to_noise": pa.array([profile.signal_to_noise for profile in profiles], pa.float32()),
        FAULT: pa.array([profile.fault for profile in profiles], pa.string()),
    }
    return pa.table(columns | {f"reactivity_{n:04d}": pa.array(column) for n, column in enumerate(values.T, start=1)})


def fitting_experiment(wanted: str, available: Collection[str]) -> str | None:
    """The experiment that shows what `wanted` does: itself, or one by the same reagent (1M7 for 1M7_MaP), or any SHAPE
    for SHAPE in general and the reverse; None if there is none."""

    def reagent(experiment: str) -> str:
        return experiment.partition("_")[0].casefold()

    of_reagent = {reagent(experiment): experiment for experiment in sorted(available, reverse=True)}
    if wanted in available:
        return wanted
    if reagent(wanted) in of_reagent:
        return of_reagent[reagent(wanted)]
    if reagent(wanted) == "shape":
        return next((experiment for name, experiment in sorted(of_reagent.items()) if name in _SHAPE_REAGENTS), None)
    return of_reagent.get("shape") if reagent(wanted) in _SHAPE_REAGENTS else None


def first_line(path: Path) -> str:
    """The first line of a text file, gzipped or not, that is neither blank nor a comment (`#`).

    It tells small files from tables that are too large to be read for that; empty if the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_BEGINNING)
        if data.startswith(GZIP_MAGIC):
            with gzip.open(path) as unpacked:
                data = unpacked.read(_BEGINNING)
    except (OSError, EOFError, zlib.error):
        return ""
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    return next((line for line in lines if line.strip() and not line.startswith("#")), "")
