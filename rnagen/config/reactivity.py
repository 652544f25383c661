"""Every option of a reactivity training run, beside those of the encoder. No heavy import here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rnagen.config.encoder import EncoderConfig
from rnagen.config.files import refuse_unless
from rnagen.config.shared import OneCycleConfig, RunOptions


@dataclass(frozen=True)
class ProfileConfig:
    """Which profiles train, and how they are batched."""

    data: Path = Path("train_data.parquet")
    """Profiles in the Ribonanza layout, parquet or CSV."""
    cache: Path = Path("cache")
    """Folder for what is made of them once: the mapped table, base pairs, groups of similar sequences."""
    cv_splits: int = 5
    """Parts of the data, no sequence of one at least 80 % identical to one of another."""
    cv_split: int | None = 0
    """The part that is held out for validation; None trains on everything and validates on nothing."""
    min_signal_to_noise: float = 1.0
    """Profiles below it neither train nor validate; those where it is unknown do both."""
    sn_weights: bool = True
    """Weight of a profile's loss by its signal-to-noise s: s² / (1 + s²)."""
    max_length: int | None = None
    """Longer sequences do not train; they are still validated on."""
    flip: float = 0.5
    """Share of examples that are read from the 3' end in training."""
    batch_size: int = 16
    """RNAs per batch and process, of similar length."""
    num_workers: int = 0
    """Processes that prepare batches."""


@dataclass(frozen=True)
class ReactivityRunConfig(RunOptions):
    """Length of the run, validation, logging and checkpoints."""

    epochs: int = 32
    """Epochs; an epoch is every training example once, or `train_batches`."""
    flip_validation: bool = True
    """Validate the mean of both readings, as predictions are made."""


@dataclass(frozen=True)
class ReactivityConfig:
    """All options of a reactivity training run. `--config FILE.yaml` overlays the defaults, flags overlay the file."""

    task: Literal["reactivity"] = "reactivity"
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
            "lr": optim.lr > 0,
            "warmup": 0 <= optim.warmup < 1,
            "grad_clip": optim.grad_clip > 0,
            "accumulate_grad": optim.accumulate_grad >= 1,
            "epochs": self.run.epochs >= 1,
            "devices": self.run.devices >= 1,
        }
        refuse_unless(self, checks)
