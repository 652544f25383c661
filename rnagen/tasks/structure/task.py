"""The structure task: the flow-matching model and what its training reads and saves."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.config.effects import without_effect
from rnagen.config.files import differing
from rnagen.config.structure import ModelConfig, TrainConfig
from rnagen.data.encodings import EncodedCache
from rnagen.errors import ConfigError
from rnagen.model.model import RNAFlowModel
from rnagen.sampling.solver import check_sampling
from rnagen.tasks.structure.data import RNADataModule
from rnagen.tasks.structure.encoder import choose_encoder
from rnagen.tasks.structure.module import FlowModule
from rnagen.tasks.structure.validation import best_of
from rnagen.training.task import Task
from rnagen.training.trainer import device_of

STARTS_AT_NOTHING = (
    *("pair_features", "secondary_structure", "references", "strands", "categories"),
    *("ipa", "num_conformers"),
)
"""Parts of a model that add nothing until they are trained."""


class StructureTask(Task[TrainConfig, RNADataModule, FlowModule]):
    """Trains the structure model, with a pretrained encoder if there is one."""

    lower_is_better = False

    def __init__(self, config: TrainConfig) -> None:
        super().__init__(config)
        self.score = f"val/{best_of(config.run.val_repeat)}"

    def begin(self, state: Path | None, weights: Path | None) -> None:
        """Load the weights to start from, and the encoder."""
        config = self.config
        check_sampling(config, config.sampler)
        for line in without_effect(config):
            print(f"warning: {line}", file=sys.stderr)
        self.initial = None if weights is None else load_checkpoint(weights)
        if self.initial is not None and config.dataset.labels is not None and not config.model.categories:
            config = self.config = with_categories(config, self.initial.config.model.categories)
        differs = "" if self.initial is None else other_shape(config.model, self.initial.config.model)
        if differs:
            raise ConfigError(f"ckpt: {weights} is a model of another shape than this configuration: {differs}")
        options = config.pretrained
        self.pretrained = choose_encoder(options.encoder, options.encoder_rate, state, self.initial)

    def data(self, folder: Path, deadline: float | None) -> RNADataModule:
        """The chains; with the output of the encoder, if it is frozen."""
        run, cache = self.config.run, None
        if self.pretrained is not None and not self.config.pretrained.encoder_rate:
            device = device_of(run.accelerator)
            cache = EncodedCache(run.run_dir / "encoded", self.pretrained.encoder, device)
        return RNADataModule(self.config, cache)

    def module(self, data: RNADataModule, steps: int) -> FlowModule:
        """The model and its moving average."""
        self.config = with_categories(self.config, data.categories)
        module = FlowModule(self.config, self.pretrained, steps)
        if self.initial is not None:
            module.load_weights(self.initial.model)
        return module

    def network(self, weights: Path | None = None) -> RNAFlowModel:
        """The structure model."""
        return RNAFlowModel(self.config.model) if weights is None else load_checkpoint(weights).model

    def export(self, data: RNADataModule, module: FlowModule, path: Path, provenance: dict[str, Any]) -> None:
        """Write the averaged weights."""
        metadata = {
            "cutoff": self.config.dataset.cutoff,
            "data": {
                "source": data.description,
                "fingerprint": data.fingerprint,
                "chains": len(data.train_chains),
                "contents_hash": data.contents_hash,
            },
            "parameters": module.model.num_parameters,
            **provenance,
        }
        save_checkpoint(path, module.shipped_model, self.config, metadata, module.encoder_source)


def with_categories(config: TrainConfig, categories: tuple[str, ...]) -> TrainConfig:
    """The same options with the labels that the model can be conditioned on."""
    return replace(config, model=replace(config.model, categories=categories))


def other_shape(model: ModelConfig, other: ModelConfig) -> str:
    """Why a new model of the one shape cannot begin with the weights of the other: the options that differ, but for
    parts that add nothing until they are trained; empty if it can."""
    none = ModelConfig()
    added = [part for part in STARTS_AT_NOTHING if getattr(other, part) == getattr(none, part)]
    same = {name: getattr(model, name) for name in (*added, *ModelConfig.NOT_SHAPE, "size")}
    return differing(model, replace(other, **same))
