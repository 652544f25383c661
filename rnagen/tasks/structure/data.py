"""The chains that train and validate: filtered by date, held on the training device, in a reproducible order."""

import logging
from dataclasses import replace

from torch.utils.data import DataLoader

from rnagen.config.structure import DataConfig, TrainConfig
from rnagen.data.batches import Batch, DeviceChains
from rnagen.data.chains import Chains
from rnagen.data.dataset import Dataset, TrainingData, read_data, read_sets
from rnagen.data.encodings import EncodedCache
from rnagen.data.filters import (
    check_atoms,
    counted,
    quality_filter,
    share_of_clusters,
    to_overfit,
    trainable,
    why_not_trainable,
)
from rnagen.data.plans import BatchPlans, PlansByEpoch, PlanStream, WarmUp, chain_weights
from rnagen.errors import InputError
from rnagen.features import Chain
from rnagen.training.stream import BatchStream, ResumableData

log = logging.getLogger(__name__)


class RNADataModule(ResumableData):
    """Training batches and validation chains of a prepared dataset, or of the synthetic set where there is none.

    Args:
        config: options.
        encodings: by a frozen encoder, to be given to every chain; None where the model asks its encoder itself.
    """

    def __init__(self, config: TrainConfig, encodings: EncodedCache | None = None) -> None:
        super().__init__()
        self.config = config
        self.encodings = encodings
        self.val_chains: list[Chain] = []
        self.fingerprint = ""
        self.description = ""

    def prepare_data(self) -> None:
        """Make the synthetic set where it is needed and the dataset does not hold it (in one process only).

        Raises:
            InputError: the dataset is missing and not the default one, or cannot be read, or a library that makes the
            synthetic set is not installed.
        """
        options = self.config.dataset
        if self.fingerprint:
            return
        if not options.data.exists():
            if options.data != DataConfig.data:
                reason = "no such file or folder; without --data, built-in synthetic RNA trains"
                raise InputError(options.data, None, reason)
            print(
                "no --data, and no folder data: training on built-in synthetic A-form RNA, to try the program out "
                "(its weights predict no real RNA)"
            )
        elif not options.synthetic_steps or Dataset.open(options.data).has_synthetic:
            return
        try:
            from rnagen.preparation.synthetic import synthetic_set
        except ImportError as error:
            reason = f"holds no synthetic RNA, and {error.name}, which makes it, is not installed here; "
            raise InputError(options.data, None, reason + "train on a file of `rnagen prepare --beads`") from error
        synthetic_set()

    def setup(self, stage: str) -> None:
        """Read the chains into memory."""
        if self.fingerprint:
            return
        options = self.config.dataset
        data = self._read()
        self.fingerprint, self.description = data.fingerprint, data.source
        train, val = data.train, data.val
        if not len(val):
            print(f"no validation chain in {data.source}: this run does not validate")
        if options.data.exists():
            limits = options.min_length, options.max_resolution, options.min_contacts
            self.left_out = counted(data.in_no_split + why_not_trainable(train, range(len(train)), *limits))
            train = trainable(train, options.min_length, options.data)
            train = quality_filter(train, options.max_resolution, options.min_contacts, options.data)
            check_atoms(train, options.data)
        train = share_of_clusters(train, options.train_share, self.config.run.seed)
        if options.overfit:
            train = val = to_overfit(train, options.crop, options.data)
        self.train_chains, self.val_chains = train, val.chains()
        self.synthetic_chains = data.synthetic
        self.seen_chains = train.followed_by(data.synthetic) if options.synthetic_steps else train
        self.train_encodings = None
        if self.encodings is not None:
            seen = self.seen_chains.chains()
            self.train_encodings = self.encodings.encode([(chain.sequence, chain.pairs) for chain in seen])
            self.val_chains = with_encodings(self.val_chains, self.encodings)
        log.info("%s: %d training chains, %d validation chains", self.description, len(train), len(val))

    def _read(self) -> TrainingData:
        options, atoms = self.config.dataset, self.config.model.atoms
        data = read_data(options.data, options.splits, options.cutoff, atoms) if options.data.exists() else None
        if data is not None and (not options.synthetic_steps or len(data.synthetic)):
            return data
        from rnagen.preparation.synthetic import synthetic_set

        made = read_sets(Dataset.open(synthetic_set()), options.splits, atoms)
        if data is not None:
            return replace(data, synthetic=made.train)
        return replace(made, synthetic=made.train, source="synthetic A-form RNA")

    @property
    def batches_per_epoch(self) -> int:
        """Batches in an epoch and process."""
        options = self.config.dataset
        per_step = options.batch_size_at(0) * self.config.run.devices
        return self.config.run.train_batches or max(1, len(self.train_chains) // per_step)

    @property
    def validates(self) -> bool:
        """Whether there are validation chains."""
        return bool(self.val_chains)

    @property
    def contents(self) -> str:
        """What trains and validates, and what does not and why."""
        used = f"{len(self.train_chains):,} chains of {self.description} train, {len(self.val_chains):,} validate"
        return f"{used} (left out: {self.left_out})" if self.left_out else used

    @property
    def contents_hash(self) -> str:
        """Hash of the data."""
        return self.fingerprint

    def train_dataloader(self) -> BatchStream[Batch]:
        """Batches from `position` on, made on the device of the process."""
        assert self.trainer is not None
        options, trainer = self.config.dataset, self.trainer
        plans: BatchPlans = self._plans(self.train_chains)
        if options.synthetic_steps:
            batches = options.synthetic_steps * self.config.optim.accumulate_grad
            plans = WarmUp(self._plans(self.synthetic_chains), batches, plans, len(self.train_chains))
        device = trainer.strategy.root_device
        return BatchStream(
            DeviceChains(
                self.seen_chains,
                options.crop,
                options.spatial_crop,
                device,
                options.structure_share if self.config.model.secondary_structure else 0.0,
                bool(self.config.model.pair_features),
                self.train_encodings,
            ),
            plans,
            self.batches_per_epoch,
            self.position,
            trainer.global_rank,
            trainer.world_size,
        )

    def _plans(self, chains: Chains) -> BatchPlans:
        assert self.trainer is not None
        options, lengths = self.config.dataset, chains.lengths.numpy()
        weights = chain_weights(lengths, chains.clusters.numpy(), options.length_power, options.cluster_power)
        world, seed = self.trainer.world_size, self.config.run.seed

        def of_size(size: int) -> PlanStream:
            return PlanStream(weights, lengths, options.crop, size * world, seed)

        return PlansByEpoch(of_size, options.batch_size_at, self.batches_per_epoch)

    def val_dataloader(self) -> DataLoader[Chain]:
        """One whole chain at a time, dealt out among the processes."""
        assert self.trainer is not None
        mine = self.val_chains[self.trainer.global_rank :: self.trainer.world_size]
        return DataLoader(mine, batch_size=None, shuffle=False)  # type: ignore[arg-type]


def with_encodings(chains: list[Chain], cache: EncodedCache) -> list[Chain]:
    """The same chains with their encodings, computed for those that the cache does not have yet."""
    files = cache.encode([(chain.sequence, chain.pairs) for chain in chains])
    return [replace(chain, encoded=file) for chain, file in zip(chains, files)]
