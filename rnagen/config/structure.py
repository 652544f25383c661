"""Every option of a structure training, declared once: field docs become `--help`, YAML files and flags are equivalent.

Field names are unique across the sections, so that flags and YAML files are flat: `--path-type`, `path_type: GVP`.
No heavy import here: `sample.py --help` must answer at once.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from rnagen.config.epochs import changes_of, value_at
from rnagen.config.files import Basic, refuse_unless
from rnagen.config.loss import LossConfig
from rnagen.config.pretrained import PretrainedConfig
from rnagen.config.sampling import SamplerConfig
from rnagen.config.shared import LARGEST_WIDTH, MOST_LAYERS, OptimOptions, RunOptions, refuse_unless_date
from rnagen.errors import ConfigError
from rnagen.messages import quoted
from rnagen.structure import BEADS, PAIR_FEATURES

PathType = Literal["Linear", "GVP", "VP", "Sqrt"]
Prediction = Literal["velocity", "noise", "score", "data"]
LossWeight = Literal["none", "velocity", "likelihood"]
TimeDistribution = Literal["uniform", "logit-normal", "beta"]
Size = Literal["small", "base"]
PointAttention = Literal["none", "prepend", "interleave"]
SIZES: dict[str, dict[str, int]] = {
    "small": {"embed_dim": 160, "pair_dim": 32, "trunk_layers": 3, "num_layers": 5, "mha_heads": 8},
    "base": {"embed_dim": 288, "pair_dim": 64, "trunk_layers": 4, "num_layers": 8, "mha_heads": 9},
}
"""Widths and depths of the two presets."""
LARGEST_POWER = 10
"""Of lengths and cluster sizes in the weight of a chain: beyond it the weights are not finite."""


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the trunk and of the latent model."""

    PRESETS: ClassVar = {"size": SIZES}
    NOT_SHAPE: ClassVar = ("dropout", "grad_checkpointing")
    """How a model is trained, not what it is."""

    size: Basic[Size | None] = field(default=None, compare=False)
    """Set all widths and depths at once: small (3 to 4 M parameters, the defaults) or base (15 to 20 M). As a flag it
    overrides the widths of a file; widths given as flags override it."""
    atoms: tuple[str, ...] = BEADS
    """Atoms generated per residue; C1' must be among them."""
    embed_dim: int = 160
    """Width d of the single representation and of the latent model."""
    pair_dim: int = 32
    """Width c of the pair representation."""
    trunk_layers: int = 3
    """Trunk blocks (run once per RNA)."""
    num_layers: int = 5
    """Latent blocks (run once per solver step)."""
    mha_heads: int = 8
    """Attention heads in the trunk and in the latent model."""
    mlp_ratio: int = 4
    """Hidden width of a transition is this times its width, times 2/3 because a gate doubles it."""
    max_relative_position: int = 32
    """Relative positions in the pair representation are clipped to ± this."""
    distogram_bins: int = 32
    """Bins of the auxiliary distance prediction."""
    dropout: float = 0.0
    """Dropout on the residual branches of trunk and latent model."""
    rope: bool = True
    """Rotary position embedding in the latent attention."""
    abs_pos_emb: bool = False
    """Add a sinusoidal embedding of the residue index to the residues."""
    time_multiplier: float = 100.0
    """Flow times are multiplied by this before their sinusoidal embedding."""
    sigma_data: float = 16.0
    """Å per model unit."""
    pair_features: tuple[str, ...] = ()
    """Further features of base pairs that the trunk reads: turner1999, andronescu2007, langdon2018 and turner2004_60C
    are probabilities under other energy models; consensus and covariation come from an alignment, if there is one.
    Experimental: no gain measured."""
    secondary_structure: bool = False
    """The trunk can be conditioned on the secondary structure that the conformers are to have."""
    self_conditioning: bool = False
    """The latent model reads its previous estimate of the structure; in training with probability 0.5. Experimental: no
    gain measured."""
    categories: tuple[str, ...] = ()
    """Labels that the latent model can be conditioned on; by default all that the training chains have in the column
    `labels`. A chain with any other label trains as one without."""
    references: int = 0
    """Reference structures (templates, drafts, fragments) that the model reads at most. 0: it reads none."""
    ipa: PointAttention = "none"
    """Invariant point attention over the frames of the first reference, for a model that reads references: added to the
    residues before the first latent block (prepend) or, each time by a projection of its own, before every one
    (interleave). Experimental: no gain measured."""
    num_conformers: int = 1
    """Conformers T that are sampled together and attend to each other, trained on the experimental models of a chain.
    Experimental: no gain measured."""
    strands: bool = False
    """The trunk distinguishes the strands of RNAs that have several."""
    grad_checkpointing: bool = False
    """Recompute block activations in the backward pass: less memory, more time."""

    def __post_init__(self) -> None:
        widths = ("embed_dim", "pair_dim", "mlp_ratio", "max_relative_position", "distogram_bins")
        layers = ("trunk_layers", "num_layers", "mha_heads")
        checks = {name: 1 <= getattr(self, name) <= LARGEST_WIDTH for name in widths}
        checks |= {name: 1 <= getattr(self, name) <= MOST_LAYERS for name in layers}
        checks |= {name: 0 < getattr(self, name) < math.inf for name in ("time_multiplier", "sigma_data")}
        checks |= {"dropout": 0 <= self.dropout < 1, "references": 0 <= self.references <= MOST_LAYERS}
        checks["ipa"] = self.ipa == "none" or (self.references > 0 and len(self.atoms) >= 3)
        checks["num_conformers"] = 1 <= self.num_conformers <= MOST_LAYERS
        reasons = {"ipa": "needs a model that reads references (--references) and has three atoms"}
        reasons["num_conformers"] = f"must lie between 1 and {MOST_LAYERS}"
        refuse_unless(self, checks, reasons)


@dataclass(frozen=True)
class TransportConfig:
    """Path between noise and data, and what the model predicts on it."""

    path_type: Basic[PathType] = "Linear"
    """Interpolant between noise (t = 0) and data (t = 1)."""
    prediction: Basic[Prediction] = "velocity"
    """What the latent model predicts."""
    time_distribution: TimeDistribution = "logit-normal"
    """Distribution of the training times; stratified over the copies of an RNA."""
    loss_weight: LossWeight = "none"
    """Weighting of the flow loss over time, for noise and score predictions: velocity gives that of the velocity."""


@dataclass(frozen=True)
class DataConfig:
    """Training data and how it is sampled."""

    data: Basic[Path] = Path("data")
    """Dataset folder or file (`rnagen prepare`); if absent, a small sample of public chains is used,
    made once per machine."""
    splits: Basic[Path] = Path("splits")
    """Folder with train.csv and val.csv; a file of `rnagen prepare --beads` carries its own splits."""
    cutoff: Basic[str] = "2022-05-27"
    """Date filter: no chain released on or after this date trains. Recorded in the checkpoint."""
    crop: Basic[int] = 96
    """Longest training crop in residues."""
    batch_size: Basic[int] = 4
    """RNAs per step and process."""
    batch_schedule: str | None = None
    """Batch sizes that change with the epoch, such as `0:8,50:4,100:2`; before them `batch_size` counts. Every epoch
    has as many batches as the first."""
    tokens: int | None = None
    """Residues per step and process: crops of 64, 128, 256 and 384 residues up to `crop` are mixed, and each batch has
    as many of one length as fit. Replaces `batch_size`."""
    variants: Path | None = None
    """Dataset file of other sequences for the structures of the training chains (`runs/bare_gpu/variants.py`), for a
    training with `tokens`."""
    templates: Path | None = None
    """File of templates of the training chains (`runs/references.py`), for a model that reads references; without it,
    other models of a chain and distorted answers are its references."""
    copies: Basic[int] = 8
    """Noised and rotated copies K of each RNA per step, for one trunk pass."""
    min_length: int = 20
    """Shorter chains do not train."""
    train_share: float = 1.0
    """Share of the clusters that train, chosen by the seed; a smaller share is part of a larger one."""
    max_resolution: float | None = None
    """Å; chains of lower resolution do not train, chains of unknown resolution do."""
    min_contacts: float = 0.0
    """Least share of residues in contact with one far away in the sequence: below about 0.3 a chain is held by another
    molecule, and its shape does not follow from its own sequence."""
    length_power: float = 0.7
    """A chain is sampled with weight length^`length_power` …"""
    cluster_power: float = 0.6
    """… divided by (size of its cluster)^`cluster_power`."""
    spatial_crop: float = 0.3
    """Share of crops that take the residues nearest to a random one instead of a contiguous stretch."""
    synthetic_steps: int = 0
    """First steps, which train on synthetic A-form RNA instead of the data. Experimental: no gain measured."""
    condition_dropout: float = 0.0
    """Share of examples without sequence and base pairs, for sampling with `cfg_scale`."""
    pair_feature_dropout: float = 0.0
    """Probability that a channel of `pair_features` is masked, for each RNA and channel. Experimental: no gain."""
    structure_share: float = 0.5
    """Share of examples with a secondary structure, for a model that can be conditioned on one: half of them with that
    of the training structure, half with the nearest of several that ViennaRNA sampled."""
    labels: str | None = None
    """Column of train.csv and val.csv in `splits` with a label for each chain, such as its family or method, that the
    model is conditioned on; empty for a chain without one. Experimental: no gain measured."""
    label_dropout: float = 0.1
    """Share of examples whose label is masked, for sampling without one and with `cfg_scale`."""
    overfit: bool = False
    """Train and validate on a single training chain, as a test: the sampled structures must come close to it."""

    def __post_init__(self) -> None:
        self.batch_size_at(0)

    def batch_size_at(self, epoch: int) -> int:
        """RNAs per step and process at an epoch.

        Raises:
            ConfigError: `batch_schedule` cannot be used.
        """
        changes = () if self.batch_schedule is None else changes_of(self.batch_schedule, "batch_schedule", least=1)
        if any(value != int(value) for _, value in changes):
            raise ConfigError(f"batch_schedule: {quoted(self.batch_schedule)} cannot be used: sizes are whole numbers")
        return int(value_at(epoch, changes, self.batch_size))


@dataclass(frozen=True)
class OptimConfig(OptimOptions):
    """Optimizer, schedule and averaging."""

    lr_warmup: int = 500
    """Steps of linear warm-up."""
    lr_decay: int = 20_000
    """Step at which the cosine decay ends, at a hundredth of the peak rate."""
    lr_decay_start: int | None = None
    """Epoch at which the cosine decay begins, to end with the run; None: it begins after the warm-up and ends at
    `lr_decay`."""
    adamW: bool = True
    """AdamW (decoupled weight decay) instead of Adam."""
    check_grad: bool = False
    """Log the gradient norm of every part of the model."""
    freeze: Literal["nothing", "sequence", "trunk"] = "nothing"
    """Part that stays as in `ckpt`: what of the trunk reads the sequence, or the whole trunk (steps are faster)."""
    ema: bool = True
    """Validate and ship an exponential moving average of the weights."""
    ema_decay: float = 0.999
    """Decay of the average, reached through a warm-up of (1 + step) / (10 + step)."""


@dataclass(frozen=True)
class RunConfig(RunOptions):
    """Length of the run, validation, logging and checkpoints."""

    val_repeat: int = 5
    """Conformers sampled per validation RNA; the best one counts."""


@dataclass(frozen=True)
class TrainConfig:
    """Train the structure model. `--config FILE.yaml` replaces defaults, flags replace both.

    `--help` lists the common options, `--help-all` all of them.
    """

    task: Basic[Literal["structure"]] = "structure"
    """What to train: structure, reactivity or confidence, each with its own options (`--task confidence --help`)."""
    model: ModelConfig = field(default_factory=ModelConfig)
    pretrained: PretrainedConfig = field(default_factory=PretrainedConfig)
    transport: TransportConfig = field(default_factory=TransportConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    dataset: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        refuse_unless_date("cutoff", self.dataset.cutoff)
        checks = {
            "atoms": "C1'" in self.model.atoms and len(set(self.model.atoms)) == len(self.model.atoms),
            "mha_heads": self.model.embed_dim % (2 * self.model.mha_heads) == 0,
            "encoder_rate": 0 <= self.pretrained.encoder_rate <= 1,
            "crop": self.dataset.crop >= 8,
            "batch_size": self.dataset.batch_size >= 1,
            "copies": self.dataset.copies >= 1,
            "tokens": self.dataset.tokens is None or self.dataset.tokens >= 8,
            "variants": self.dataset.variants is None or self.dataset.tokens is not None,
            "templates": self.dataset.templates is None or self.model.references > 0,
            "train_share": 0 < self.dataset.train_share <= 1,
            "synthetic_steps": self.dataset.synthetic_steps >= 0,
            "min_contacts": 0 <= self.dataset.min_contacts <= 1,
            "condition_dropout": 0 <= self.dataset.condition_dropout < 1,
            "label_dropout": 0 <= self.dataset.label_dropout < 1,
            "categories": self._has_good_categories,
            "pair_features": set(self.model.pair_features) <= set(PAIR_FEATURES),
            "pair_feature_dropout": 0 <= self.dataset.pair_feature_dropout <= 1,
            "structure_share": 0 <= self.dataset.structure_share <= 1,
            "spatial_crop": 0 <= self.dataset.spatial_crop <= 1,
            "length_power": abs(self.dataset.length_power) <= LARGEST_POWER,
            "cluster_power": abs(self.dataset.cluster_power) <= LARGEST_POWER,
            "lr_warmup": self.optim.lr_warmup >= 0,
            "lr_decay": self.optim.lr_decay >= 0,
            "lr_decay_start": self.optim.lr_decay_start is None or self.optim.lr_decay_start >= 0,
            "freeze": self.optim.freeze == "nothing" or self.run.ckpt is not None,
            "ema_decay": 0 <= self.optim.ema_decay < 1,
            "val_repeat": self.run.val_repeat >= 1,
        }
        refuse_unless(self, checks, self._reasons)
        if self.loss.uses("consistency") and self.dataset.copies % 2:
            raise ConfigError(f"consistency_weight: needs copies in pairs, copies is {self.dataset.copies}")
        paths = 2 if self.loss.uses("consistency") else 1
        if self.dataset.copies % (paths * self.model.num_conformers):
            raise ConfigError(
                f"copies: {self.dataset.copies} copies do not make whole groups of num_conformers "
                f"{self.model.num_conformers}" + (" in both halves of a consistency loss" if paths == 2 else "")
            )
        if self.transport.loss_weight != "none" and self.transport.prediction not in ("noise", "score"):
            raise ConfigError(
                f"loss_weight: {self.transport.loss_weight!r} is for the predictions noise and score, "
                f"not for {self.transport.prediction!r}"
            )

    @property
    def _has_good_categories(self) -> bool:
        categories = self.model.categories
        return not categories or (self.dataset.labels is not None and len({"", *categories}) == len(categories) + 1)

    @property
    def _reasons(self) -> dict[str, str]:
        """What is wrong with an option that does not fit to another, or to what there is."""
        width = self.model.embed_dim
        good = [str(heads) for heads in range(1, 33) if width % (2 * heads) == 0]
        return {
            "atoms": "must contain C1', and each atom once",
            "mha_heads": f"does not divide embed_dim {width} into heads of even width"
            + (f" (these do: {', '.join(good)})" if good else ""),
            "variants": "needs tokens",
            "templates": "needs a model that reads references (--references)",
            "freeze": "needs ckpt, the weights that the trunk keeps",
            "categories": "needs labels, the column that they stand in, and each category once",
            "pair_features": f"cannot be used (choose from {', '.join(PAIR_FEATURES)})",
        }
