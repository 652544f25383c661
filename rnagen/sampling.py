"""From a sequence to conformers: the trunk once, then the solver for all conformers at once."""

import hashlib
import time
from dataclasses import dataclass

import psutil
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.config import ModelConfig, SamplerConfig, TransportConfig
from rnagen.data.basepairs import base_pair_probabilities
from rnagen.features import RNAFeatures
from rnagen.model.latent import LatentContext
from rnagen.model.model import RNAFlowModel
from rnagen.structure import RNAStructure, encode_sequence
from rnagen.transport.sde import integrate_sde
from rnagen.transport.solvers import integrate
from rnagen.transport.transport import Transport

MAX_COORDINATE = 5000.0
"""Å from the centre; a conformer that reaches further has exploded. PDB files end at 9999."""
ATTEMPTS = 3
"""Times a conformer with non-finite or exploded coordinates is drawn before it counts as failed."""
CHUNK_RESIDUES = 4096
"""Conformers × residues computed at once unless told otherwise."""


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


def features_of(sequence: str) -> RNAFeatures:
    """Features [1, L] of a sequence over `BASES`; base-pair probabilities by ViennaRNA."""
    length = len(sequence)
    return RNAFeatures(
        bases=torch.from_numpy(encode_sequence(sequence))[None],
        residue_index=torch.arange(1, length + 1, dtype=torch.int32)[None],
        mask=torch.ones(1, length, dtype=torch.bool),
        pair_probabilities=torch.from_numpy(base_pair_probabilities(sequence))[None],
    )


def conformer_generator(seed: int, name: str, conformer: int, attempt: int = 0) -> torch.Generator:
    """Random numbers of one conformer: a function of the seed, the target's name and the conformer's number alone."""
    digest = hashlib.sha256(f"{seed}\x00{name}\x00{conformer}\x00{attempt}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@torch.no_grad()
def sample_conformers(
    model: RNAFlowModel,
    transport: Transport,
    features: RNAFeatures,
    name: str,
    conformers: list[int],
    options: SamplerConfig,
    seed: int,
    attempt: int = 0,
) -> tuple[Float[Tensor, "n L A 3"], int]:
    """Draw the conformers numbered `conformers` of one RNA (features [1, L]).

    Returns:
        coordinates in Å on the CPU, centred, and model evaluations per conformer. Values may be non-finite: the caller
        looks (`usable`).
    """
    device = next(model.parameters()).device
    _, context = model.encode(features.to(device))
    mask = features.mask[0].to(device)
    length = int(mask.shape[0])
    chunk = options.chunk or max(1, CHUNK_RESIDUES // length)
    drawn, evaluations = [], 0
    for start in range(0, len(conformers), chunk):
        generators = [conformer_generator(seed, name, k, attempt) for k in conformers[start : start + chunk]]
        coords, evaluations = _integrate(model, transport, context, mask, generators, options)
        drawn.append(coords.cpu() * model.config.sigma_data)
    return torch.cat(drawn), evaluations


def _integrate(
    model: RNAFlowModel,
    transport: Transport,
    context: LatentContext,
    mask: Bool[Tensor, " L"],
    generators: list[torch.Generator],
    options: SamplerConfig,
) -> tuple[Float[Tensor, "n L A 3"], int]:
    def draw_noise(shape: torch.Size) -> Float[Tensor, "n L A 3"]:
        # Drawn on the CPU, conformer by conformer: the same numbers on every device and in every chunk.
        noise = torch.stack([torch.randn(shape[1:], generator=generator) for generator in generators])
        return recenter(noise.to(mask.device))

    def recenter(x: Float[Tensor, "n L A 3"]) -> Float[Tensor, "n L A 3"]:
        return x - x.mean(dim=(1, 2), keepdim=True)

    def predict(x: Float[Tensor, "n L A 3"], t: Float[Tensor, " n"]) -> Float[Tensor, "n L A 3"]:
        return model(x[None], t[None], context)[0]

    x0 = draw_noise(torch.Size([len(generators), len(mask), len(model.config.atoms), 3]))
    if options.sampling_method == "euler-maruyama":
        solution = integrate_sde(
            lambda x, t: transport.velocity_and_score(predict(x, t), x, t),
            x0,
            draw_noise,
            steps=options.steps,
            tau=options.tau,
            project=recenter,
        )
    else:
        solution = integrate(
            lambda x, t: transport.velocity(predict(x, t), x, t),
            x0,
            steps=options.steps,
            method=options.sampling_method,
            project=recenter,
        )
    return solution.x, solution.evaluations


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
) -> Ensemble:
    """n conformers of one RNA; those with unusable coordinates are drawn again, up to `ATTEMPTS` times.

    Raises:
        SamplingError: a conformer stayed unusable; nothing is returned.
    """
    started = time.monotonic()
    transport = Transport(transport_config.path_type, transport_config.prediction)
    waiting = list(range(n))
    coords = torch.empty(n, len(sequence), len(model.config.atoms), 3)
    redrawn = 0
    for attempt in range(ATTEMPTS):
        drawn, evaluations = sample_conformers(model, transport, features, name, waiting, options, seed, attempt)
        good = usable(drawn)
        for k, ok, conformer in zip(waiting, good, drawn):
            if ok:
                coords[k] = conformer
        waiting = [k for k, ok in zip(waiting, good) if not ok]
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


def estimated_memory(length: int, n: int, config: ModelConfig, options: SamplerConfig) -> int:
    """Bytes that sampling n conformers of `length` residues takes at its peak, a little on the high side.

    The trunk holds about 14 pair-sized tensors at once; the biases of all latent layers stay in memory throughout; the
    latent model's attention holds about three score matrices per head and conformer of a chunk. A fifth and 64 MiB are
    added for everything else; `benchmarks/sampling.py` holds the estimate against what is measured.
    """
    pairs = length * length * 4
    trunk = 14 * config.pair_dim * pairs
    biases = 2 * config.num_layers * config.mha_heads * pairs
    chunk = min(n, options.chunk or max(1, CHUNK_RESIDUES // length))
    attention = 3 * chunk * config.mha_heads * pairs
    folding = 8 * pairs
    return int(1.2 * max(trunk + biases, biases + attention, folding)) + 64 * 2**20


def available_memory() -> int:
    """Bytes of memory that this machine has free, caches counted as free."""
    return psutil.virtual_memory().available
