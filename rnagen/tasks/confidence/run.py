"""One training run of the confidence task from its options."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml

from rnagen.checkpoints.confidence import StructureModelId, load_confidence_checkpoint, save_confidence_checkpoint
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
from rnagen.config.confidence import ConfidenceConfig
from rnagen.config.files import to_plain
from rnagen.errors import ConfigError
from rnagen.sampling.solver import check_sampling
from rnagen.tasks.confidence.data import ConfidenceDataModule
from rnagen.tasks.confidence.module import ConfidenceModule
from rnagen.training.callbacks import STATE, CheckpointWriter, MetricsWriter
from rnagen.training.trainer import make_trainer, start, start_from


def train_confidence(config: ConfidenceConfig) -> Path:
    """Draw conformers where there are none yet, then train (or validate only); returns the folder of the run.

    `max_time` is for both: a run whose time is over while it draws goes on when the same command is given again, and
    one that trains as every training does, from its state.

    Raises:
        InputError: data, checkpoint or cache cannot be used, or the time was over before all conformers were drawn.
        ConfigError: options that do not go together.
    """
    run, started = config.run, time.monotonic()
    limit = None if run.max_time is None else seconds_of(run.max_time)
    folder = run.run_dir / run.run_name
    resume, weights = start_from(run.ckpt)
    if resume is None and (folder / STATE).exists() and not run.validate_only:
        raise ConfigError(f"{folder} holds a run: resume it with --ckpt {folder / STATE} or choose another --run-name")
    checkpoint = load_checkpoint(config.dataset.structure or DEFAULT_CHECKPOINT, drawing_device(run.accelerator))
    check_sampling(checkpoint.config, config.sampler)
    loaded = None if weights is None else load_confidence_checkpoint(weights)
    if loaded is not None and (loaded.head.config, loaded.structure_model) != (
        config.model,
        StructureModelId.of(checkpoint),
    ):
        raise ConfigError(f"{weights} is a head of another shape, or of another structure model")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True))
    logging.getLogger("rnagen").setLevel(logging.INFO)

    L.seed_everything(run.seed, verbose=False)
    torch.set_float32_matmul_precision("high")
    data = ConfidenceDataModule(config, checkpoint, None if limit is None else started + limit)
    data.setup("fit")
    steps = run.epochs * data.batches_per_epoch // config.optim.accumulate_grad
    # What was drawn does not decide the initial weights.
    torch.manual_seed(run.seed)
    module = ConfidenceModule(config, checkpoint, data.baseline, steps)
    if loaded is not None:
        module.head.load_state_dict(loaded.head.state_dict())
    conformers = sum(len(known.scores.tm) for known in data.train_chains)
    print(
        f"{module.head.num_parameters:,} parameters; {conformers:,} conformers of {len(data.train_chains):,} chains "
        f"train, {len(data.val_chains)} chains validate; {steps} steps"
    )
    if run.validate_only and not data.val_chains:
        raise ConfigError("validate_only: no validation chain")
    validates = (run.validate or run.validate_only) and bool(data.val_chains)
    callbacks = [
        MetricsWriter(folder),
        CheckpointWriter(folder, run.ckpt_freq, run.keep_freq, "val/loss", lower_is_better=True, export=exporter(data)),
    ]
    if limit is not None:
        run = replace(run, max_time=time_text(limit - (time.monotonic() - started)))
    optim = config.optim
    trainer = make_trainer(run, folder, config, optim.precision, optim.accumulate_grad, steps, validates, callbacks)
    start(trainer, module, data, resume, run.validate_only)
    return folder


def exporter(data: ConfidenceDataModule) -> Callable[[L.LightningModule, Path, dict[str, Any]], None]:
    """Writes the head of a module trained on these data."""

    def export(module: L.LightningModule, path: Path, provenance: dict[str, Any]) -> None:
        assert isinstance(module, ConfidenceModule)
        trained_on = {
            "source": str(data.config.dataset.data),
            "fingerprint": data.fingerprint,
            "chains": len(data.train_chains),
            "conformers": sum(len(known.scores.tm) for known in data.train_chains),
        }
        metadata = {
            "cutoff": data.checkpoint.metadata["cutoff"],
            "data": trained_on,
            "parameters": module.head.num_parameters,
            "training": to_plain(module.config),
            **provenance,
        }
        save_confidence_checkpoint(path, module.head, StructureModelId.of(data.checkpoint), metadata)

    return export


def drawing_device(accelerator: str) -> str:
    """Where conformers are drawn: on the device that will train."""
    return "cuda" if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available() else "cpu"


def seconds_of(max_time: str) -> float:
    """Seconds of a time written as DD:HH:MM:SS.

    Raises:
        ConfigError: it is not written so.
    """
    try:
        days, hours, minutes, seconds = map(int, max_time.split(":"))
    except ValueError:
        raise ConfigError(f"max_time: {max_time!r} is no time as DD:HH:MM:SS") from None
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def time_text(seconds: float) -> str:
    """Seconds as DD:HH:MM:SS."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24:02}:{hours % 24:02}:{minutes:02}:{rest:02}"
