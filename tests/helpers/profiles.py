"""Files in the Ribonanza layout, made by code."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnagen.config.files import load_config
from rnagen.config.reactivity import ReactivityConfig

POSITIONS = 40
EXPERIMENTS = ("2A3_MaP", "DMS_MaP")


def random_sequence(length: int, seed: int) -> str:
    return "".join(np.random.default_rng([seed, length]).choice(list("ACGU"), length))


def make_profiles(count: int = 6, positions: int = POSITIONS, seed: int = 0, errors: bool = True) -> pd.DataFrame:
    """`count` RNAs of 20 to `positions` residues, two experiments each; the ends have no values."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for n in range(count):
        sequence = random_sequence(int(rng.integers(20, positions + 1)), seed=1000 * seed + n)
        for experiment in EXPERIMENTS:
            values = np.full(positions, np.nan, dtype=np.float32)
            values[5 : len(sequence) - 3] = rng.normal(0.5, 0.6, len(sequence) - 8)
            row: dict[str, Any] = {"sequence_id": f"id{n}", "sequence": sequence, "experiment_type": experiment}
            row |= {"dataset_name": "synthetic", "reads": 100 * n}
            row |= {"signal_to_noise": np.float32(rng.normal(2, 2)), "SN_filter": int(rng.random() < 0.7)}
            row |= {f"reactivity_{p + 1:04d}": values[p] for p in range(positions)}
            if errors:
                row |= {f"reactivity_error_{p + 1:04d}": np.float32(0.1) for p in range(positions)}
            rows.append(row)
    return pd.DataFrame(rows)


def write_profiles(frame: pd.DataFrame, path: Path) -> Path:
    """Write in the format of the suffix: .parquet or .csv (.gz)."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, compression="zstd")
    else:
        frame.to_csv(path, index=False)
    return path


def write_trainable(folder: Path, count: int = 40) -> Path:
    """A table in which every profile passes the default signal-to-noise."""
    frame = make_profiles(count)
    frame["signal_to_noise"] = frame["signal_to_noise"].abs() + 1
    return write_profiles(frame, folder / "profiles.parquet")


def config_of(path: Path, **options: Any) -> ReactivityConfig:
    """A tiny model that trains on a table; its cache lies beside the table."""
    values = {"encoder_dim": 16, "encoder_layers": 2, "encoder_heads": 2, "batch_size": 4}
    return load_config(ReactivityConfig(), {**values, "data": path, "cache": path.parent / "cache", **options}, "test")
