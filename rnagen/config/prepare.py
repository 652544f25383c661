"""Options of `rnagen prepare`. No heavy import here."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from rnagen.config.structure import DataConfig


@dataclass(frozen=True)
class PrepareConfig:
    """Make a dataset from structure files (mmCIF, PDB, also gzipped) and Kaggle tables. Inputs are only read.

    In a folder that contains `structures` or `kaggle`, only these two are read; in any other folder, every structure
    file and every *_labels.csv. An interrupted run continues where it stopped; a run without changes does nothing.
    """

    inputs: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Folders, structure files and Kaggle *_labels.csv tables."""
    out: Path = Path("data")
    """Folder of the dataset: new, empty, or made by this command."""
    metadata: Path | None = None
    """Table of dates, clusters and benchmarks by chain. Default: each index.csv inside or beside an input."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes. The result does not depend on their number."""
    strict: bool = False
    """Exit with an error if anything was skipped."""
    splits: Path | None = None
    """Also write train.csv, val.csv, casp15.csv and ensemble.csv (RNAs with several conformers) into this folder."""
    hold_out_ensembles: bool = False
    """Keep 28 small clusters of RNAs with several conformers out of the training set of --splits and --beads: a model
    trained from scratch on it can be compared with those conformers."""
    beads: Path | None = None
    """Also write the training and validation chains, with only the atoms that models generate by default, and the
    synthetic set to this file (.safetensors). `train.py --data` reads it like the dataset, but it is much smaller."""
    cutoff: str = DataConfig.cutoff
    """Release date from which on chains are not for training, for --splits and --beads."""
    assume_date: str = ""
    """Release date (YYYY-MM-DD) of chains that have none, such as unpublished ones; undated chains do not train."""
    alignments: Path | None = None
    """Folder of alignments (FASTA or A3M, optionally .gz), named by chain: 1abc_A.a3m. Their pair features are stored
    beside the base-pair probabilities."""
    fetch: Path | None = None
    """A split (train.csv): download its entries into OUT/work and prepare only its chains."""
    fetch_url: str = "https://files.rcsb.org/download/{entry}.cif.gz"
    """URL from which --fetch downloads an entry."""
    quiet: bool = False
    """Show no progress; RNAGEN_QUIET=1 in the environment does so for every command."""
