"""Every option of `rnagen compare`. No heavy import here: `--help` must answer at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rnagen.errors import ConfigError

TABLE = ".md"
FORMATS = (TABLE, ".svg", ".png")
"""Of the file: the table, or the learning curves."""


@dataclass(frozen=True)
class CompareConfig:
    """Compare runs: the options in which they differ, the metrics of their last validations, and the paired gain of
    each setting over the first, with a 95 % bootstrap interval over seeds and targets. Runs that differ in the seed
    alone are repetitions of one setting."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs, such as runs/*, or a folder that holds them, such as runs; the first run is what the others are
    compared with."""
    out: Path | None = None
    """Also write the learning curves (.svg or .png) or the tables (.md) to this file."""

    def __post_init__(self) -> None:
        if self.out is not None and self.out.suffix not in FORMATS:
            raise ConfigError(f"out: {self.out} cannot be used (expected a name that ends with .svg, .png or .md)")
