"""Every option of a confidence training run. No heavy import here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rnagen.caches import cache_folder
from rnagen.config.files import Basic, refuse_unless
from rnagen.config.sampling import SamplerConfig
from rnagen.config.shared import LARGEST_WIDTH, MOST_LAYERS, OneCycleConfig, RunOptions


@dataclass(frozen=True)
class HeadConfig:
    """Shape of the confidence head."""

    head_dim: int = 96
    """Width of a residue."""
    head_pair_dim: int = 24
    """Width of a pair of residues."""
    head_layers: int = 2
    """Blocks."""
    head_heads: int = 4
    """Attention heads."""
    levels: int = 21
    """Values from 0 to 1, ends included, for which it predicts probabilities."""

    def __post_init__(self) -> None:
        checks = {
            "head_dim": 0 < self.head_dim <= LARGEST_WIDTH
            and self.head_heads > 0
            and self.head_dim % self.head_heads == 0,
            "head_pair_dim": 0 < self.head_pair_dim <= LARGEST_WIDTH,
            "head_layers": 0 < self.head_layers <= MOST_LAYERS,
            "levels": 1 < self.levels <= LARGEST_WIDTH,
        }
        refuse_unless(self, checks)


@dataclass(frozen=True)
class ConformerSetConfig:
    """The conformers to learn from: their model, their number, and how they are batched."""

    structure: Basic[Path | None] = None
    """Weights of the structure model whose conformers are scored; by default the shipped checkpoint."""
    data: Basic[Path] = Path("data")
    """Prepared dataset (`rnagen prepare`)."""
    splits: Basic[Path] = Path("splits")
    """Folder with train.csv and val.csv; the date filter is that of the structure model."""
    templates: Path | None = None
    """File of templates of the training chains (`runs/references.py`), on which further conformers are built."""
    cache: Basic[Path] = field(default_factory=cache_folder)
    """Folder of the scored conformers, one file for each model and way of sampling."""
    min_length: int = 20
    """Shorter chains do not train."""
    max_length: Basic[int] = 200
    """Longer chains neither train nor validate."""
    per_cluster: int = 3
    """Most training chains of one cluster, chosen by the seed."""
    conformers: Basic[int] = 4
    """Conformers of a training chain for each temperature."""
    other_taus: tuple[float, ...] = (0.3, 1.0)
    """Temperatures besides `tau`, so that there are good and bad conformers of each RNA."""
    mirrors: int = 1
    """Conformers of each training chain whose mirror images are added."""
    val_conformers: int = 10
    """Conformers of a validation chain, sampled as by `sample.py`."""
    batch_size: Basic[int] = 4
    """RNAs per batch."""
    copies: Basic[int] = 4
    """Conformers of each RNA per batch."""


@dataclass(frozen=True)
class ConfidenceRunConfig(RunOptions):
    """Length of the run, validation, logging and checkpoints."""

    epochs: Basic[int] = 20
    """Epochs; an epoch has as many examples as there are training chains, or `train_batches` batches."""


@dataclass(frozen=True)
class ConfidenceConfig:
    """Train a confidence model. `--config FILE.yaml` replaces defaults, flags replace both.

    `--help` lists the common options, `--help-all` all of them.
    """

    task: Basic[Literal["confidence"]] = "confidence"
    """What to train."""
    model: HeadConfig = field(default_factory=HeadConfig)
    dataset: ConformerSetConfig = field(default_factory=ConformerSetConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    optim: OneCycleConfig = field(default_factory=OneCycleConfig)
    run: ConfidenceRunConfig = field(default_factory=ConfidenceRunConfig)

    def __post_init__(self) -> None:
        dataset, optim = self.dataset, self.optim
        checks = {
            "max_length": dataset.max_length >= dataset.min_length >= 1,
            "per_cluster": dataset.per_cluster >= 1,
            "conformers": dataset.conformers >= 1,
            "other_taus": all(tau >= 0 for tau in dataset.other_taus),
            "mirrors": 0 <= dataset.mirrors <= dataset.conformers,
            "val_conformers": dataset.val_conformers >= 2,
            "batch_size": dataset.batch_size >= 1,
            "copies": dataset.copies >= 1,
            "warmup": 0 <= optim.warmup < 1,
            # The head is small: sampling the conformers takes most of the time, and it is done once.
            "devices": self.run.devices == 1,
            "num_nodes": self.run.num_nodes == 1,
        }
        reason = "cannot be used: a confidence model trains in one process"
        refuse_unless(self, checks, dict.fromkeys(("devices", "num_nodes"), reason))
