"""The confidence task: a head that scores conformers of a structure model, and what its training reads and saves."""

from pathlib import Path
from typing import Any

from rnagen.checkpoints.confidence import StructureModelId, load_confidence_checkpoint, save_confidence_checkpoint
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
from rnagen.config.confidence import ConfidenceConfig
from rnagen.config.files import differing, to_plain
from rnagen.errors import ConfigError
from rnagen.model.confidence import ConfidenceHead
from rnagen.sampling.solver import check_sampling
from rnagen.tasks.confidence.data import ConfidenceDataModule
from rnagen.tasks.confidence.module import ConfidenceModule
from rnagen.training.task import Task
from rnagen.training.trainer import device_of


class ConfidenceTask(Task[ConfidenceConfig, ConfidenceDataModule, ConfidenceModule]):
    """Samples conformers unless they are in the cache, then trains the head on them."""

    score = "val/loss"
    lower_is_better = True

    def begin(self, state: Path | None, weights: Path | None) -> None:
        """Load the structure model, and the head to start from."""
        config = self.config
        # Conformers are sampled on the device that will train.
        path, device = config.dataset.structure or DEFAULT_CHECKPOINT, device_of(config.run.accelerator)
        self.structure = load_checkpoint(path, device)
        check_sampling(self.structure.config, config.sampler)
        self.initial = None if weights is None else load_confidence_checkpoint(weights)
        if self.initial is None:
            return
        if self.initial.head.config != config.model:
            differs = differing(config.model, self.initial.head.config)
            raise ConfigError(f"ckpt: {weights} is a head of another shape than this configuration: {differs}")
        if self.initial.structure_model != StructureModelId.of(self.structure):
            raise ConfigError(f"ckpt: {weights} is the head of another structure model (--structure names it)")

    def data(self, folder: Path, deadline: float | None) -> ConfidenceDataModule:
        """Chains and their conformers."""
        return ConfidenceDataModule(self.config, self.structure, deadline)

    def module(self, data: ConfidenceDataModule, steps: int) -> ConfidenceModule:
        """The head."""
        module = ConfidenceModule(self.config, self.structure, data.baseline, steps)
        if self.initial is not None:
            module.head.load_state_dict(self.initial.head.state_dict())
        return module

    def network(self, weights: Path | None = None) -> ConfidenceHead:
        """The head."""
        if weights is not None:
            return load_confidence_checkpoint(weights).head
        structure = load_checkpoint(self.config.dataset.structure or DEFAULT_CHECKPOINT).config.model
        return ConfidenceHead(self.config.model, structure.embed_dim, structure.pair_dim)

    def export(
        self, data: ConfidenceDataModule, module: ConfidenceModule, path: Path, provenance: dict[str, Any]
    ) -> None:
        """Write the head."""
        metadata = {
            "cutoff": self.structure.metadata["cutoff"],
            "data": {
                "source": str(self.config.dataset.data),
                "fingerprint": data.fingerprint,
                "chains": len(data.train_chains),
                "conformers": data.conformers,
                "contents_hash": data.contents_hash,
            },
            "parameters": module.head.num_parameters,
            "training": to_plain(self.config),
            **provenance,
        }
        save_confidence_checkpoint(path, module.head, StructureModelId.of(self.structure), metadata)
