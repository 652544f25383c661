"""The chains that train and validate: date-gated, in memory, in a reproducible order."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
from torch.utils.data import DataLoader

from rnagen.config import TrainConfig
from rnagen.data.dataset import Chain, CropDataset, Example, collate, load_chains
from rnagen.data.sampler import ChainSampler, chain_weights
from rnagen.data.store import MANIFEST, StructureStore
from rnagen.data.synthetic import synthetic_dataset
from rnagen.io.errors import InputError
from rnagen.reactivity.encoded import EncodedCache

SYNTHETIC_CHAINS = 256
SYNTHETIC_VALIDATION = 8
MIN_RESOLVED = 0.5
"""Share of residues that a training chain must have resolved."""

log = logging.getLogger(__name__)


class RNADataModule(L.LightningDataModule):
    """Training batches and validation chains of a prepared dataset, or of the synthetic set where there is none.

    Args:
        config: options.
        synthetic_folder: where the synthetic set is, or is made.
        encodings: by a frozen encoder, to be given to every chain; None where the model asks its encoder itself.
    """

    def __init__(self, config: TrainConfig, synthetic_folder: Path, encodings: EncodedCache | None = None) -> None:
        super().__init__()
        self.config = config
        self.synthetic_folder = synthetic_folder
        self.encodings = encodings
        self.position = 0
        self.train_chains: list[Chain] = []
        self.val_chains: list[Chain] = []
        self.fingerprint = ""
        self.description = ""

    def prepare_data(self) -> None:
        """Make the synthetic set where there is no dataset (in one process only)."""
        data = self.config.dataset.data
        if not data.exists() and not (self.synthetic_folder / MANIFEST).is_file():
            print(f"no prepared dataset at {data}: training on {SYNTHETIC_CHAINS} synthetic A-form RNAs instead")
            synthetic_dataset(self.synthetic_folder, SYNTHETIC_CHAINS + SYNTHETIC_VALIDATION, self.config.run.seed)

    def setup(self, stage: str) -> None:
        """Read the chains into memory."""
        if self.train_chains:
            return
        options, atoms = self.config.dataset, self.config.model.atoms
        if options.data.exists():
            store = StructureStore.open(options.data)
            train = training_rows(store, options.splits / "train.csv", options.cutoff, options.min_length)
            val = split_rows(store, options.splits / "val.csv")
            if not val:
                print(f"no chain of {options.splits / 'val.csv'} is in {options.data}: this run does not validate")
            self.description = f"{options.data}"
        else:
            store = StructureStore.open(self.synthetic_folder)
            train = list(range(SYNTHETIC_CHAINS))
            val = list(range(SYNTHETIC_CHAINS, len(store)))
            self.description = "synthetic A-form RNA"
        if options.overfit:
            train = val = [overfit_row(store, train, options.crop)]
        self.fingerprint = store.fingerprint
        self.train_chains = load_chains(store, train, atoms)
        self.val_chains = load_chains(store, val, atoms)
        self.clusters = store.index["cluster"].to_numpy()[train]
        if self.encodings is not None:
            self.train_chains = with_encodings(self.train_chains, self.encodings)
            self.val_chains = with_encodings(self.val_chains, self.encodings)
        log.info("%s: %d training chains, %d validation chains", self.description, len(train), len(val))

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch and process."""
        options = self.config.dataset
        per_step = options.batch_size * self.config.run.devices
        return self.config.run.train_batches or max(1, len(self.train_chains) // per_step)

    def train_dataloader(self) -> DataLoader[Example]:
        """Batches from `position` on."""
        assert self.trainer is not None
        options = self.config.dataset
        lengths = np.array([len(chain.bases) for chain in self.train_chains])
        sampler = ChainSampler(
            chain_weights(lengths, self.clusters, options.length_power, options.cluster_power),
            np.minimum(lengths, options.crop),
            options.batch_size,
            self.batches_per_epoch,
            self.config.run.seed,
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        sampler.position = self.position
        return DataLoader(
            CropDataset(self.train_chains, self.config.model.atoms, options.crop, options.spatial_crop),
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=options.num_workers,
            persistent_workers=options.num_workers > 0,
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
        )

    def val_dataloader(self) -> DataLoader[Chain]:
        """One whole chain at a time, dealt out among the processes."""
        assert self.trainer is not None
        mine = self.val_chains[self.trainer.global_rank :: self.trainer.world_size]
        return DataLoader(mine, batch_size=None, shuffle=False)  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        """Position in the stream of training batches."""
        assert self.trainer is not None
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress
        return {"position": progress.total.processed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a run stopped."""
        self.position = int(state_dict["position"])


def with_encodings(chains: list[Chain], cache: EncodedCache) -> list[Chain]:
    """The same chains with what the encoder of the cache says of them, computed where it is not known yet."""
    files = cache.encode([(chain.sequence, chain.pairs) for chain in chains])
    return [replace(chain, encoded=file) for chain, file in zip(chains, files)]


def split_rows(store: StructureStore, split: Path) -> list[int]:
    """Rows of the chains that a split names and the dataset holds, in the order of the split; perhaps none.

    Raises:
        InputError: the file is missing or no split.
    """
    try:
        ids = pd.read_csv(split, dtype=str, keep_default_na=False)["id"]
    except FileNotFoundError:
        raise InputError(split, None, "no such file; `rnagen prepare … --splits` writes it") from None
    except (KeyError, ValueError) as error:
        raise InputError(split, None, f"is no split (a table with a column id): {error}") from error
    known = set(store.index["id"])
    return [store.row(name) for name in ids if name in known]


def training_rows(store: StructureStore, split: Path, cutoff: str, min_length: int) -> list[int]:
    """Rows of a training split that pass the date gate and are long and resolved enough.

    Raises:
        InputError: a chain of the split was released on or after the cutoff, has no date, or belongs to a benchmark; or
            no chain is left.
    """
    rows = split_rows(store, split)
    for row in rows:
        date, benchmark = store.value(row, "release_date"), store.value(row, "benchmark")
        if benchmark:
            raise InputError(split, store.value(row, "id"), f"belongs to the benchmark {benchmark}: it must not train")
        if not date or date >= cutoff:
            when = f"released {date}" if date else "has no release date"
            raise InputError(split, store.value(row, "id"), f"{when}, but the cutoff is {cutoff}")
    good = [r for r in rows if store.value(r, "length") >= min_length and store.value(r, "resolved") >= MIN_RESOLVED]
    if not good:
        raise InputError(split, None, f"no chain of it that {store.folder} holds has {min_length} residues or more")
    return good


def overfit_row(store: StructureStore, rows: list[int], crop: int) -> int:
    """The longest single-model, fully resolved chain that a crop holds whole.

    Raises:
        InputError: there is none of 30 residues or more, below which a TM-score of 1 asks for sub-ångström accuracy.
    """

    def length(row: int) -> int:
        return int(store.value(row, "length"))

    whole = [row for row in rows if store.value(row, "num_models") == 1 and store.value(row, "resolved") == 1]
    fitting = [row for row in whole if 30 <= length(row) <= crop]
    if not fitting:
        raise InputError(store.folder, None, f"no fully resolved chain of 30 to {crop} residues to overfit")
    return max(fitting, key=length)
