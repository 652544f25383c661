"""Every option of the reactivity task, training and prediction, besides those of the encoder. No heavy import here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rnagen.caches import cache_folder
from rnagen.config.encoder import EncoderConfig
from rnagen.config.files import Basic, refuse_unless
from rnagen.config.shared import OneCycleConfig, RunOptions
from rnagen.errors import ConfigError

TableFormat = Literal["parquet", "csv"]


@dataclass(frozen=True)
class ProfileConfig:
    """Which profiles train, and how they are batched."""

    data: Basic[Path] = Path("train_data.parquet")
    """Profiles in the Ribonanza layout, parquet or CSV, or an RDAT file."""
    cache: Basic[Path] = field(default_factory=cache_folder)
    """Folder for what is computed from them once: the mapped table, base pairs, groups of similar sequences."""
    cv_splits: int = 5
    """Number of splits of the data. No sequence in one is 80 % or more identical to a sequence in another."""
    cv_split: Basic[int | None] = 0
    """The split that is held out for validation, from 0; None trains on everything and validates on nothing."""
    min_signal_to_noise: float = 1.0
    """Smallest signal-to-noise of profiles for training and validation; those without a value are used too."""
    sn_weights: bool = True
    """Weight each profile in the loss by s² / (1 + s²), with its signal-to-noise s."""
    max_length: int | None = None
    """Train on no longer sequences; validation still includes them."""
    flip: float = 0.5
    """Share of training examples that are read from the 3' end."""
    batch_size: Basic[int] = 16
    """RNAs per batch and process; they are of similar length."""
    num_workers: int = 0
    """Worker processes that prepare batches."""


@dataclass(frozen=True)
class ReactivityRunConfig(RunOptions):
    """Length of the run, validation, logging and checkpoints."""

    epochs: Basic[int] = 32
    """Epochs; an epoch is every training example once, or `train_batches` batches."""
    flip_validation: bool = True
    """Validate the mean of the readings from both ends, as in prediction."""


@dataclass(frozen=True)
class ReactivityConfig:
    """Train a reactivity model. `--config FILE.yaml` replaces defaults, flags replace both.

    `--help` lists the common options, `--help-all` all of them.
    """

    task: Basic[Literal["reactivity"]] = "reactivity"
    """What is trained."""
    model: EncoderConfig = field(default_factory=EncoderConfig)
    dataset: ProfileConfig = field(default_factory=ProfileConfig)
    optim: OneCycleConfig = field(default_factory=OneCycleConfig)
    run: ReactivityRunConfig = field(default_factory=ReactivityRunConfig)

    def __post_init__(self) -> None:
        dataset, optim = self.dataset, self.optim
        checks = {
            "cv_splits": dataset.cv_splits >= 2,
            "cv_split": dataset.cv_split is None or 0 <= dataset.cv_split < dataset.cv_splits,
            "max_length": dataset.max_length is None or dataset.max_length >= 1,
            "flip": 0 <= dataset.flip <= 1,
            "batch_size": dataset.batch_size >= 1,
            "warmup": 0 <= optim.warmup < 1,
        }
        refuse_unless(self, checks)


@dataclass(frozen=True)
class ReactivityOptions:
    """Predict the chemical-mapping reactivity of RNAs: a table in the Ribonanza layout, and a figure per RNA.

    With `--check TABLE`, check instead that a table, from any tool, is complete and valid for these RNAs. Without an
    input, the RNAs are the examples that ship with rnagen. Values in `--config FILE.yaml` override the defaults, flags
    override the file.
    """

    sequence: str | None = None
    """Sequence of one RNA."""
    name: str = "rna"
    """Name of the RNA given by `sequence`."""
    fasta: Path | None = None
    """File of sequences (FASTA, Stockholm, ct and others, see docs/inputs.md), or a folder of such files."""
    csv: Path | None = None
    """Table with the columns target_id and sequence, like test_sequences.csv of the Kaggle benchmark."""
    ckpt: tuple[Path, ...] = ()
    """Weights of reactivity models (.safetensors, with their .json beside them); several are averaged. By default the
    checkpoint that ships with rnagen."""
    out: Path = Path("out")
    """Output folder."""
    flip: bool = True
    """Average the predictions from both reading directions, 5'→3' and 3'→5'."""
    batch_size: int = 32
    """Most RNAs in a batch. Batches of long RNAs are smaller: at most a million pairs of residues, or one RNA."""
    format: TableFormat = "parquet"
    """Format of the table."""
    skip_start: int = 0
    """First residues of each RNA to leave empty, as measured tables do at the primer sites (26 in Ribonanza)."""
    skip_end: int = 0
    """Last residues of each RNA to leave empty (21 in Ribonanza)."""
    figures: bool = True
    """Write a figure of each RNA's reactivity below its secondary structure."""
    measured: Path | None = None
    """Table in the Ribonanza layout or RDAT file: the figures show its profiles of the same sequences as dots. Or, for
    one RNA, a .shape file."""
    check: Path | None = None
    """Check this table instead of predicting: each RNA must have one row per experiment in the table, with values from
    0 to 1 at every residue except those of `skip_start` and `skip_end`, and no values elsewhere."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    cache: Path | None = None
    """Folder for base pairs that were predicted once; by default that of RNAGEN_CACHE, or one per user."""
    quiet: bool = False
    """Show no progress; RNAGEN_QUIET=1 in the environment does so for every command."""

    def __post_init__(self) -> None:
        checks = {name: getattr(self, name) >= 0 for name in ("skip_start", "skip_end")}
        refuse_unless(self, {"batch_size": self.batch_size >= 1, **checks})
        if self.measured is not None and not self.figures:
            raise ConfigError("measured: is only used in the figures, which --no-figures turns off")
