"""One training run of the reactivity task from its options."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml

from rnagen.checkpoints.reactivity import load_reactivity_checkpoint, save_reactivity_checkpoint
from rnagen.config.files import to_plain
from rnagen.config.reactivity import ReactivityConfig
from rnagen.errors import ConfigError
from rnagen.io.reactivity_layout import Window, write_layout
from rnagen.tasks.reactivity.data import ReactivityDataModule
from rnagen.tasks.reactivity.module import ReactivityModule
from rnagen.training.callbacks import STATE, CheckpointWriter, MetricsWriter
from rnagen.training.trainer import make_trainer, start, start_from

HELD_OUT = "held_out.parquet"
"""Predictions for the held-out RNAs, in the layout of the training table: out of fold, for whoever stacks models."""


def train_reactivity(config: ReactivityConfig) -> Path:
    """Train as configured, or validate only and write the predictions (`HELD_OUT`); returns the folder of the run.

    Raises:
        InputError: data or checkpoint cannot be used.
        ConfigError: options that do not go together.
    """
    run = config.run
    if run.validate_only and run.devices > 1:
        raise ConfigError("devices: the predictions of validate_only are written by one process, not by several")
    folder = run.run_dir / run.run_name
    resume, weights = start_from(run.ckpt)
    if resume is None and (folder / STATE).exists() and not run.validate_only:
        raise ConfigError(f"{folder} holds a run: resume it with --ckpt {folder / STATE} or choose another --run-name")
    loaded = load_reactivity_checkpoint(weights).model if weights is not None else None
    if loaded is not None and loaded.config != config.model:
        raise ConfigError(f"{weights} is a model of another shape than this configuration")
    logging.getLogger("rnagen").setLevel(logging.INFO)

    L.seed_everything(run.seed, verbose=False)
    torch.set_float32_matmul_precision("high")
    data = ReactivityDataModule(config, loaded.experiments if loaded is not None else ())
    data.prepare_data()
    data.setup("fit")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True))
    steps = run.epochs * data.batches_per_epoch // config.optim.accumulate_grad
    module = ReactivityModule(config, data.table.experiments, steps)
    if loaded is not None:
        module.model.load_state_dict(loaded.state_dict())
    print(
        f"{module.model.num_parameters:,} parameters; {int(data.train.used.sum()):,} profiles of {len(data.train):,} "
        f"examples train, {0 if data.val is None else int(data.val.used.sum()):,} profiles validate; {steps} steps"
    )
    validates = (run.validate or run.validate_only) and data.val is not None
    callbacks = [
        MetricsWriter(folder),
        CheckpointWriter(folder, run.ckpt_freq, run.keep_freq, "val/mae", lower_is_better=True, export=exporter(data)),
    ]
    optim = config.optim
    trainer = make_trainer(run, folder, config, optim.precision, optim.accumulate_grad, steps, validates, callbacks)
    if run.validate_only and data.val is None:
        raise ConfigError("validate_only: nothing is held out (fold)")
    start(trainer, module, data, resume, run.validate_only)
    if run.validate_only:
        names = {data.table.name(number): number for number in sorted(module.held_out)}
        write_layout(
            folder / HELD_OUT,
            {name: data.table.sequence(number) for name, number in names.items()},
            {name: module.held_out[number] for name, number in names.items()},
            data.table.experiments,
            Window(),
        )
    return folder


def exporter(data: ReactivityDataModule) -> Callable[[L.LightningModule, Path, dict[str, Any]], None]:
    """Writes the weights of a module trained on these data."""

    def export(module: L.LightningModule, path: Path, provenance: dict[str, Any]) -> None:
        assert isinstance(module, ReactivityModule)
        trained_on = {
            "source": str(data.config.dataset.data),
            "fingerprint": data.table.fingerprint,
            "examples": len(data.train),
            "profiles": int(data.train.used.sum()),
        }
        metadata = {"data": trained_on, "training": to_plain(module.config), **provenance}
        save_reactivity_checkpoint(path, module.model, metadata)

    return export
