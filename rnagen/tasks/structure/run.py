"""One training run from its options."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml

from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.config.files import to_plain
from rnagen.config.structure import ModelConfig, TrainConfig
from rnagen.data.encodings import EncodedCache
from rnagen.errors import ConfigError
from rnagen.sampling.solver import check_sampling
from rnagen.tasks.structure.data import RNADataModule
from rnagen.tasks.structure.encoder import Pretrained, choose_encoder
from rnagen.tasks.structure.module import FlowModule
from rnagen.training.callbacks import STATE, CheckpointWriter, MetricsWriter
from rnagen.training.trainer import make_trainer, start, start_from


def train(config: TrainConfig) -> Path:
    """Train as configured; returns the folder of the run.

    Raises:
        InputError: data, splits, checkpoint or encoder cannot be used.
        ConfigError: options that do not go together.
    """
    check_sampling(config, config.sampler)
    run = config.run
    folder = run.run_dir / run.run_name
    resume, weights = start_from(run.ckpt)
    if resume is None and (folder / STATE).exists():
        raise ConfigError(f"{folder} holds a run: resume it with --ckpt {folder / STATE} or choose another --run-name")
    loaded = None if weights is None else load_checkpoint(weights)
    if loaded is not None and not begins_as(config.model, loaded.config.model):
        raise ConfigError(f"{weights} is a model of another shape than this configuration")
    pretrained = choose_encoder(config.pretrained.encoder, config.pretrained.encoder_rate, resume, loaded)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True))
    logging.getLogger("rnagen").setLevel(logging.INFO)

    L.seed_everything(run.seed, verbose=False)
    torch.set_float32_matmul_precision("high")
    data = RNADataModule(config, folder / "synthetic", encodings_for(config, pretrained))
    data.prepare_data()
    data.setup("fit")
    module = FlowModule(config, pretrained)
    if loaded is not None:
        module.load_weights(loaded.model)
    print(f"{module.model.num_parameters:,} parameters; {len(data.train_chains)} chains of {data.description}")

    validates = (run.validate or run.validate_only) and bool(data.val_chains)
    callbacks = [
        MetricsWriter(folder),
        CheckpointWriter(
            folder, run.ckpt_freq, run.keep_freq, "val/tm_best5", lower_is_better=False, export=exporter(data)
        ),
    ]
    steps = run.epochs * data.batches_per_epoch // config.optim.accumulate_grad
    optim = config.optim
    trainer = make_trainer(run, folder, config, optim.precision, optim.accumulate_grad, steps, validates, callbacks)
    start(trainer, module, data, resume, run.validate_only)
    return folder


STARTS_AT_NOTHING = ("pair_features", "secondary_structure", "recycling")
"""Parts of a model that add nothing until they are trained."""
NOT_SHAPE = ("dropout", "grad_checkpointing")
"""How a model is trained, not what it is."""


def begins_as(model: ModelConfig, other: ModelConfig) -> bool:
    """Whether a new model of the one shape can begin with the weights of the other: the same, but for parts that add
    nothing until they are trained."""
    added = [part for part in STARTS_AT_NOTHING if not getattr(other, part)]
    return replace(other, **{name: getattr(model, name) for name in (*added, *NOT_SHAPE)}) == model


def exporter(data: RNADataModule) -> Callable[[L.LightningModule, Path, dict[str, Any]], None]:
    """Writes the averaged weights of a module trained on these data."""

    def export(module: L.LightningModule, path: Path, provenance: dict[str, Any]) -> None:
        assert isinstance(module, FlowModule)
        config = module.config
        trained_on = {
            "source": data.description,
            "fingerprint": data.fingerprint,
            "chains": len(data.train_chains),
        }
        parameters = module.model.num_parameters
        metadata = {"cutoff": config.dataset.cutoff, "data": trained_on, "parameters": parameters, **provenance}
        save_checkpoint(path, module.shipped_model, config, metadata, module.encoder_source)

    return export


def encodings_for(config: TrainConfig, pretrained: Pretrained | None) -> EncodedCache | None:
    """The cache of what a frozen encoder says; None without encoder, and for one that changes."""
    if pretrained is None or config.pretrained.encoder_rate:
        return None
    gpu = config.run.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return EncodedCache(config.run.run_dir / "encoded", pretrained.encoder, "cuda" if gpu else "cpu")
