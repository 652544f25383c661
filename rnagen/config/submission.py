"""Options of `rnagen submit`. No heavy import here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class SubmitConfig:
    """Build a submission to the Stanford RNA 3D Folding benchmark from any number of sources, or check one.

    Every problem is listed by name, and then nothing is written.
    """

    sources: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Folders of sampling runs, tables in the submission format, folders of structure files named by target; each may
    have a name, as NAME=PATH."""
    out: Path = Path("submission.csv")
    """Table to write (.csv or .csv.gz); submission.json beside it records the source of each slot."""
    sequences: Path | None = None
    """Table of the targets (test_sequences.csv): the rows, their order and their bases."""
    sample: Path | None = None
    """Sample submission, in place of --sequences. Without both, the rows of the first source that has some."""
    slots: Path | None = None
    """Slot table (configs/submission_slots.yaml): the source of each slot by length. Default: slots are dealt round
    robin in the order of the sources, first conformers first."""
    check: Path | None = None
    """Check this file, and do nothing else."""
    quiet: bool = False
    """Show no progress; RNAGEN_QUIET=1 in the environment does so for every command."""
