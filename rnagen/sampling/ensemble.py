"""From a sequence to conformers: the trunk once (twice with a draft), then the solver for all conformers at once."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int16
from torch import Tensor

from rnagen.checkpoints.structure import Checkpoint
from rnagen.config.confidence import HeadConfig
from rnagen.config.encoder import EncoderConfig
from rnagen.config.sampling import SamplerConfig
from rnagen.config.structure import ModelConfig, TrainConfig, TransportConfig
from rnagen.errors import ConfigError
from rnagen.features import RNAFeatures
from rnagen.io.alignment import Alignment
from rnagen.model.encoders.memory import encoder_memory, pair_width
from rnagen.model.model import RNAFlowModel
from rnagen.sampling.confidence import confidence_memory
from rnagen.sampling.denoiser import CHUNK_RESIDUES, Denoiser, Guide, adjustment
from rnagen.sampling.secondary import sampled_secondary_structures, stable_seed
from rnagen.secondary.pairs import joined, no_pair_features
from rnagen.structure import ALIGNED, PAIR_FEATURES, RNAStructure, encode_sequence
from rnagen.transport.flow import Transport
from rnagen.transport.solvers.diffusion import DIFFUSION_METHODS
from rnagen.transport.solvers.sampler import Sampler

MAX_COORDINATE = 5000.0
"""Å from the centre; a conformer that reaches further has exploded. PDB files end at 9999."""
DRAFT = -1
"""Stands for the number of a conformer in the seed of the draft that all conformers of an RNA share."""
ATTEMPTS = 3
"""Times a conformer with non-finite or exploded coordinates is drawn before it counts as failed."""


class SamplingError(RuntimeError):
    """A target could not be sampled; the message says why."""


@dataclass(frozen=True)
class Ensemble:
    """Conformers of one RNA and how they came about."""

    structure: RNAStructure
    """The n conformers as models, Å."""
    evaluations: int
    """Calls of the model per conformer."""
    redrawn: int
    """Conformers that were drawn again because their coordinates were not usable."""
    seconds: float


def features_of(
    sequence: str,
    pair_features: bool = False,
    pair_table: Int16[np.ndarray, " L"] | None = None,
    alignment: Alignment | None = None,
) -> RNAFeatures:
    """Features [1, L] of a sequence over `BASES`; base-pair probabilities by ViennaRNA.

    Args:
        sequence: of the RNA.
        evidence: whether the model reads other evidence for base pairs.
        partner: the secondary structure that its conformers are to have.
        alignment: of which the sequence is the query; it is part of the evidence.
    """
    # Training samples too, but has its base pairs from the dataset: it can do without ViennaRNA.
    from rnagen.secondary.vienna import sparse_base_pairs, with_other_models

    length = len(sequence)
    pairs = sparse_base_pairs(sequence)
    if pair_features:
        from rnagen.secondary.coevolution import alignment_features

        aligned = no_pair_features(length, len(ALIGNED)) if alignment is None else alignment_features(alignment)
        pairs = joined(with_other_models(pairs, sequence), aligned)
    return RNAFeatures(
        bases=torch.from_numpy(encode_sequence(sequence))[None],
        residue_index=torch.arange(1, length + 1, dtype=torch.int32)[None],
        mask=torch.ones(1, length, dtype=torch.bool),
        pair_probabilities=torch.from_numpy(pairs.dense())[None],
        pair_features=torch.from_numpy(pairs.dense_features())[None] if pair_features else None,
        pair_table=None if pair_table is None else torch.from_numpy(pair_table).long()[None],
    )


def conformer_generator(seed: int, name: str, conformer: int, attempt: int = 0) -> torch.Generator:
    """Random numbers of one conformer: a function of the seed, the target's name and the conformer's number alone."""
    return torch.Generator().manual_seed(stable_seed(seed, name, conformer, attempt))


def make_sampler(transport: TransportConfig, options: SamplerConfig) -> Sampler:
    """The sampler that the options name, for a model trained on `transport`.

    Equations begin at the start of the transport, discrete diffusion at its noisiest level.

    Raises:
        ConfigError: a combination that does not exist.
    """
    model_transport = Transport(transport.path_type, transport.prediction)
    start = 0.0 if options.sampling_method in DIFFUSION_METHODS else model_transport.start
    try:
        return Sampler(
            model_transport,
            options.sampling_method,
            options.steps,
            options.time_grid,
            options.tau,
            options.diffusion_form,
            options.last_step,
            options.churn,
            start,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def check_sampling(config: TrainConfig, options: SamplerConfig, guide: TrainConfig | None = None) -> None:
    """Refuse options that a model of this configuration, and its guide, cannot be sampled with.

    Raises:
        ConfigError: names the option and what does not fit.
    """
    make_sampler(config.transport, options)
    if options.secondary_structures == "sampled" and not config.model.secondary_structure:
        raise ConfigError("fold: this model was trained without --secondary-structure and cannot be told one")
    if options.secondary_structures == "sampled" and options.diversity:
        raise ConfigError("diversity: conformers of different folds are drawn apart, they cannot repel each other")
    if options.diversity and options.sampling_method == "dopri5":
        raise ConfigError("diversity: dopri5 solves conformers one by one, they cannot repel each other")
    if guide is None:
        if options.cfg_scale != 1 and not config.dataset.condition_dropout:
            raise ConfigError(
                "cfg_scale: this model was trained without --condition-dropout and cannot do without its conditions; "
                "guide it by a worse one (--guide-ckpt)"
            )
        return
    if options.cfg_scale == 1:
        raise ConfigError("guide_ckpt: has no effect with --cfg-scale 1")
    for name, one, other in (
        ("atoms", config.model.atoms, guide.model.atoms),
        ("sigma_data", config.model.sigma_data, guide.model.sigma_data),
        ("path_type", config.transport.path_type, guide.transport.path_type),
    ):
        if one != other:
            raise ConfigError(f"guide_ckpt: {name} is {other} in the guide, {one} in the model")


def guide_of(checkpoint: Checkpoint | None) -> Guide | None:
    """A checkpoint as a guide."""
    if checkpoint is None:
        return None
    transport = checkpoint.config.transport
    return Guide(checkpoint.model, Transport(transport.path_type, transport.prediction))


@torch.no_grad()
def sample_conformers(
    model: RNAFlowModel,
    sampler: Sampler,
    features: RNAFeatures,
    name: str,
    conformers: list[int],
    options: SamplerConfig,
    seed: int,
    attempt: int = 0,
    guide: Guide | None = None,
) -> tuple[Float[Tensor, "n L A 3"], int]:
    """Draw the conformers numbered `conformers` of one RNA (features [1, L]).

    Returns:
        coordinates in Å on the CPU, centred, and model evaluations per conformer (the guide's are counted too). Values
        may be non-finite: the caller looks (`usable`).
    """
    device = next(model.parameters()).device
    generators = [conformer_generator(seed, name, k, attempt) for k in conformers]

    def recenter(x: Float[Tensor, "n L A 3"]) -> Float[Tensor, "n L A 3"]:
        return x - x.mean(dim=(1, 2), keepdim=True)

    def draw_noise(shape: torch.Size) -> Float[Tensor, "n L A 3"]:
        # Drawn on the CPU, conformer by conformer: the same numbers on every device and in every chunk.
        noise = torch.stack([torch.randn(shape[1:], generator=generator) for generator in generators])
        return recenter(noise.to(device))

    # A solver that tries steps and takes them back needs a prediction that is a function of x and t alone.
    remembers = options.sampling_method != "dopri5"
    shape = torch.Size([len(conformers), features.bases.shape[1], len(model.config.atoms), 3])
    draft_noise = torch.randn(shape[1:], generator=conformer_generator(seed, name, DRAFT))
    denoiser = Denoiser(model, sampler.transport, features, options.chunk, remembers, draft_noise)
    solution = sampler.sample(
        denoiser,
        draw_noise(shape),
        draw_noise,
        project=recenter,
        adjust=adjustment(denoiser, features, options, guide),
    )
    per_step = 1 if options.cfg_scale == 1 else 2
    return solution.x.cpu() * model.config.sigma_data, solution.evaluations * per_step


def usable(coords: Float[Tensor, "n L A 3"]) -> Bool[Tensor, " n"]:
    """Which conformers are finite and of a size that an RNA can have."""
    flat = coords.flatten(1)
    return torch.isfinite(flat).all(1) & (flat.abs().amax(1) < MAX_COORDINATE)


def draw_ensemble(
    model: RNAFlowModel,
    transport_config: TransportConfig,
    features: RNAFeatures,
    name: str,
    sequence: str,
    n: int,
    options: SamplerConfig,
    seed: int,
    guide: Guide | None = None,
) -> Ensemble:
    """n conformers of one RNA; those with unusable coordinates are drawn again, up to `ATTEMPTS` times. Conformers that
    repel each other are drawn again together.

    Raises:
        ConfigError: options that do not go together (see `check_sampling` for those of a model and its guide).
        SamplingError: a conformer stayed unusable; nothing is returned.
    """
    started = time.monotonic()
    sampler = make_sampler(transport_config, options)
    waiting = list(range(n))
    coords = torch.empty(n, len(sequence), len(model.config.atoms), 3)
    redrawn = 0
    for attempt in range(ATTEMPTS):
        groups = [(waiting, features)]
        if options.secondary_structures == "sampled" and features.pair_table is None:
            groups = sampled_secondary_structures(features, sequence, name, waiting, seed, attempt)
        waiting = []
        for some, seen in groups:
            sampled, evaluations = sample_conformers(model, sampler, seen, name, some, options, seed, attempt, guide)
            good = usable(sampled)
            if options.diversity and not good.all():
                good = torch.zeros_like(good)
            for k, ok, conformer in zip(some, good, sampled):
                if ok:
                    coords[k] = conformer
            waiting += [k for k, ok in zip(some, good) if not ok]
        if not waiting:
            break
        redrawn += len(waiting)
    else:
        numbers = ", ".join(str(k + 1) for k in waiting)
        raise SamplingError(f"{name}: conformers {numbers} had non-finite or exploded coordinates {ATTEMPTS} times")
    structure = RNAStructure(
        name=name,
        sequence=sequence,
        coords=coords.numpy(),
        mask=torch.ones(coords.shape[:-1], dtype=torch.bool).numpy(),
        atoms=model.config.atoms,
        chain="A",
        title=f"{name}, sampled by rnagen",
    )
    return Ensemble(structure, evaluations, redrawn, time.monotonic() - started)


def estimated_memory(
    length: int,
    n: int,
    config: ModelConfig,
    options: SamplerConfig,
    encoder: EncoderConfig | None = None,
    head: HeadConfig | None = None,
) -> int:
    """Bytes that sampling n conformers of `length` residues takes at its peak, a little on the high side.

    The trunk holds about 14 pair-sized tensors at once; the biases of all latent layers stay in memory throughout; the
    latent model's attention holds about three score matrices per head and conformer of a chunk. A fifth and 64 MiB are
    added for everything else; `benchmarks/sampling.py` holds the estimate against what is measured. A pretrained
    encoder runs before the trunk, which then holds its pair representation too. A confidence head runs when all is
    drawn. Only a chunk of the conformers counts, however many there are.
    """
    pairs = length * length * 4
    models = 1 if options.cfg_scale == 1 else 2
    # All channels that an RNA has stay in memory; the trunk takes its own out of them.
    pair_features = len(PAIR_FEATURES) * pairs if config.pair_features else 0
    trunk = (14 * config.pair_dim + len(config.pair_features)) * pairs
    biases = models * 2 * config.num_layers * config.mha_heads * pairs
    chunk = min(n, options.chunk or max(1, CHUNK_RESIDUES // length))
    attention = 3 * chunk * config.mha_heads * pairs
    folding = 8 * pairs
    encoding = 0
    if encoder is not None:
        encoding = encoder_memory(length, encoder)
        trunk += 3 * pair_width(encoder) * pairs
    # Guided by itself, a model is run again when the biases of the first are there.
    encoding += biases if models == 2 else 0
    judging = 0 if head is None else confidence_memory(length, head, config.pair_dim)
    return int(1.2 * max(encoding, trunk + biases, biases + attention, folding, judging) + pair_features) + 64 * 2**20


def available_memory() -> int:
    """Bytes of memory that this machine has free, caches counted as free."""
    import psutil

    return psutil.virtual_memory().available
