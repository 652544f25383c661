"""Batches that are a function of their place in the training, and data modules that go on at a place."""

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import lightning as L
import torch

from rnagen.data.plans import BatchPlan, BatchPlans
from rnagen.errors import ConfigError

BatchT_co = TypeVar("BatchT_co", covariant=True)

HASH = "data_hash"
"""Entry of a training state."""


@runtime_checkable
class BatchSource(Protocol[BatchT_co]):
    """A training set that makes the share of a process in a planned global batch."""

    def batch(self, plan: BatchPlan, rank: int = 0, world: int = 1) -> BatchT_co: ...


@runtime_checkable
class Movable(Protocol):
    """What can be moved to another device."""

    def to(self, device: torch.device) -> "Movable": ...


class BatchStream(Generic[BatchT_co]):
    """The batches of a process: iterating gives the rest of the epoch that contains `position`.

    Args:
        chains: the training set.
        plans: of the global batches.
        batches: in an epoch.
        position: batches since the start of training.
        rank, world: which process, of how many.
    """

    def __init__(
        self,
        chains: BatchSource[BatchT_co],
        plans: BatchPlans,
        batches: int,
        position: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.chains = chains
        self.plans = plans
        self.batches = batches
        self.position = position
        self.rank = rank
        self.world = world

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.batches

    def __iter__(self) -> Iterator[BatchT_co]:
        for step in range(self.position, (self.position // self.batches + 1) * self.batches):
            self.position = step + 1
            yield self.chains.batch(self.plans.at(step), self.rank, self.world)


class ResumableData(L.LightningDataModule):
    """A data module whose training batches go on from `position`, batches since the start of training.

    What a task's data module must also give, once it is set up, are the properties below.
    """

    def __init__(self) -> None:
        super().__init__()
        self.position = 0
        self.left_out = ""
        """How many records of the data do not train, by reason, once it is set up; empty for none."""

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch and process."""
        raise NotImplementedError

    @property
    def validates(self) -> bool:
        """Whether there is anything to validate on."""
        raise NotImplementedError

    @property
    def contents(self) -> str:
        """What trains and validates, in a few words."""
        raise NotImplementedError

    @property
    def contents_hash(self) -> str:
        """Hash of the data and of what of them trains; without one, a run may be resumed on any."""
        return ""

    def state_dict(self) -> dict[str, Any]:
        """Position in the stream of training batches, and hash of the data."""
        assert self.trainer is not None
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress
        return {"position": progress.total.processed, HASH: self.contents_hash}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a run stopped. States of earlier versions have no hash.

        Raises:
            ConfigError: the data have changed, or are others.
        """
        if state_dict.get(HASH, self.contents_hash) != self.contents_hash:
            remedy = "name those that it began with by --data and --splits, or start from its weights (.safetensors)"
            raise ConfigError(f"data: the run to be resumed was trained on other data than there are now: {remedy}")
        self.position = int(state_dict["position"])

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Batches move; the chains of a validation stay: sampling moves what it needs."""
        return batch.to(device) if isinstance(batch, Movable) else batch
