"""Options of `rnagen library`. No heavy import here."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class LibraryConfig:
    """Make a template library of known structures; without --out, tell what a library holds.

    Of each sequence the first structure goes in, and later ones that resolve more of it; chains without a date go in
    too, but the date filter lets none of them serve.
    """

    source: Annotated[Path | None, tyro.conf.Positional] = None
    """To make a library of: a dataset (`rnagen prepare`), or whatever one can be made of (a folder of structures, a
    structure file, a Kaggle *_labels.csv). Without --out: a library; by default the one that ships with rnagen."""
    out: Path | None = None
    """File to write (.safetensors)."""
    assume_date: str = ""
    """Release date (YYYY-MM-DD) of chains that have none, such as unpublished ones."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes that read structures. The result does not depend on their number."""
    quiet: bool = False
    """Show no progress; RNAGEN_QUIET=1 in the environment does so for every command."""
