"""The training task of reactivity models: data, module, and the files it writes."""

from pathlib import Path
from typing import Any

from rnagen.checkpoints.reactivity import load_reactivity_checkpoint, save_reactivity_checkpoint
from rnagen.config.files import differing, to_plain
from rnagen.config.reactivity import ReactivityConfig
from rnagen.errors import ConfigError
from rnagen.io.reactivity_layout import Window, write_layout
from rnagen.model.reactivity import ReactivityModel
from rnagen.tasks.reactivity.data import ReactivityDataModule
from rnagen.tasks.reactivity.module import ReactivityModule
from rnagen.training.task import Task

HELD_OUT = "held_out.parquet"
"""Predictions for the held-out RNAs, in the layout of the training table; the models were not trained on them."""

EXAMPLE_EXPERIMENTS = ("2A3_MaP", "DMS_MaP")
"""Outputs of a model that has no data yet: the experiments of the Ribonanza training set."""


class ReactivityTask(Task[ReactivityConfig, ReactivityDataModule, ReactivityModule]):
    """Trains a reactivity model; `validate_only` writes its predictions for the held-out RNAs to `HELD_OUT`."""

    score = "val/mae"
    lower_is_better = True

    def begin(self, state: Path | None, weights: Path | None) -> None:
        """Load the weights to start from."""
        run = self.config.run
        if run.validate_only and run.several:
            reason = "validate_only writes predictions from one process; use devices 1 and num_nodes 1"
            raise ConfigError(f"devices: {reason}")
        self.initial = None if weights is None else load_reactivity_checkpoint(weights).model
        if self.initial is not None and self.initial.config != self.config.model:
            differs = differing(self.config.model, self.initial.config)
            raise ConfigError(f"ckpt: {weights} is a model of another shape than this configuration: {differs}")

    def data(self, folder: Path, deadline: float | None) -> ReactivityDataModule:
        """The table of profiles."""
        return ReactivityDataModule(self.config, () if self.initial is None else self.initial.experiments)

    def module(self, data: ReactivityDataModule, steps: int) -> ReactivityModule:
        """A model with an output for each experiment of the table."""
        module = ReactivityModule(self.config, data.table.experiments, steps)
        if self.initial is not None:
            module.model.load_state_dict(self.initial.state_dict())
        return module

    def network(self, weights: Path | None = None) -> ReactivityModel:
        """The encoder and its output layer."""
        if weights is not None:
            return load_reactivity_checkpoint(weights).model
        return ReactivityModel(self.config.model, EXAMPLE_EXPERIMENTS)

    def export(
        self, data: ReactivityDataModule, module: ReactivityModule, path: Path, provenance: dict[str, Any]
    ) -> None:
        """Write the weights."""
        trained_on = {
            "source": str(self.config.dataset.data),
            "fingerprint": data.table.fingerprint,
            "examples": len(data.train),
            "profiles": int(data.train.used.sum()),
            "contents_hash": data.contents_hash,
        }
        metadata = {"data": trained_on, "training": to_plain(self.config), **provenance}
        save_reactivity_checkpoint(path, module.model, metadata)

    def after_validation(self, data: ReactivityDataModule, module: ReactivityModule, folder: Path) -> None:
        """Write the predictions for the held-out RNAs."""
        names = {data.table.name(number): number for number in sorted(module.held_out)}
        write_layout(
            folder / HELD_OUT,
            {name: data.table.sequence(number) for name, number in names.items()},
            {name: module.held_out[number] for name, number in names.items()},
            data.table.experiments,
            Window(),
        )
