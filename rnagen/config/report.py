"""Every option of `rnagen report`. No heavy import here: `--help` must answer at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

PAGE = "report.html"
"""Name of the page in the folder of a run."""


@dataclass(frozen=True)
class ReportConfig:
    """Make the page of a run of sample.py: one file of HTML with the conformers in 3D, secondary structures, distances,
    differences between conformers, confidence and geometry, which loads nothing from elsewhere."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    out: Path | None = None
    """File to write; by default report.html in the folder of the run."""
    references: Path | None = None
    """Table of labels, folder of structure files, or dataset, to score the conformers against."""
    figures: Path | None = None
    """Also write figures of each RNA to this folder, as .png and .svg."""
    quiet: bool = False
    """Show no progress; RNAGEN_QUIET=1 in the environment does so for every command."""
