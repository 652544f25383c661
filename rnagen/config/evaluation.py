"""Every option of `rnagen evaluate`. No heavy import here: `--help` must answer at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class EvaluateConfig:
    """Score predictions against references: TM-score on C1', both matched by residue number and sequence-independent,
    best of one and of five, and which slot won; diversity, C1'-lDDT, RMSD, and baselines on the same targets."""

    predictions: Annotated[Path, tyro.conf.Positional]
    """Submission table; or a folder with submission.csv, with a folder of conformers per target, or with a structure
    file per target; or one structure file."""
    references: Annotated[Path, tyro.conf.Positional]
    """Table of labels, folder of structure files, or dataset made by `rnagen prepare`; or the structure file that one
    structure file is held against, whatever the two are called."""
    split: Path | None = None
    """Table of the chains of a dataset that are the references (splits/val.csv)."""
    dates: Path | None = None
    """Table of target dates (id, release_date), which take precedence over those of the references."""
    ckpt: Path | None = None
    """Checkpoint that made the predictions: its cutoff is compared with the dates. Default: the run.json beside the
    predictions."""
    allow_leakage: bool = False
    """Score targets that were public before the training cutoff too; each such row is marked."""
    partial: bool = False
    """Score the targets that have predictions; by default a missing prediction is an error."""
    baselines: bool = True
    """Score the baselines too: one helix, random walks, and predicted stems as restraints."""
    likelihood: bool = False
    """Rank the conformers by their likelihood under the checkpoint (`--ckpt`, or the shipped one if it made the
    predictions): TM of the most likely one, and rank correlation with TM. Needs structure files with all atoms that the
    model generates."""
    ensemble: bool = False
    """Also hold the spread of all conformers of a target against that of its reference conformers, where there are
    several: fluctuation of the residues, coverage, distributions of distances, and whether both of two states are
    reached. For the RNAs of splits/ensemble.csv, with --allow-leakage: most of them are in the training."""
    out: Path | None = None
    """Also write the results to this file: .json (everything) or .csv (the targets)."""
    seed: int = 0
    """Seed of the random baselines, of the bootstrap and of the likelihood."""
    quiet: bool = False
    """Show no progress; RNAGEN_QUIET=1 in the environment does so for every command."""
