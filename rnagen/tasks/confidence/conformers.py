"""Conformers of known chains and how good each is: sampled once from a structure model, then stored in a file."""

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from rnagen.checkpoints.structure import Checkpoint
from rnagen.config.sampling import SamplerConfig, SamplingPlan, TemplateConfig
from rnagen.config.structure import ModelConfig
from rnagen.data.references import ChainReferences
from rnagen.dates import NO_DATE
from rnagen.errors import InputError
from rnagen.features import Chain, from_chain
from rnagen.io.files import atomic_write, hash_files
from rnagen.metrics import FAST_SEEDS, c1_lddt, tm_scores
from rnagen.progress import progress_bar
from rnagen.sampling.conformers import SamplingError, Slot, draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.sampling.templates import Known, TemplateUse
from rnagen.templates.transfer import Transferred

FORMAT = 1
SAVE_SECONDS = 120.0
"""A crash of the machine loses at most this much sampling; an interrupted run loses nothing."""
MIRROR = (-1.0, 1.0, 1.0)


@dataclass(frozen=True)
class ScoredConformers:
    """n conformers of one chain and their scores."""

    c1: Float[Tensor, "n L 3"]
    """C1' coordinates, Å."""
    lddt: Float[Tensor, "n L"]
    """C1'-lDDT of each residue against the model of the chain that fits best, by TM-score; 0 where not scored."""
    scored: Bool[Tensor, "n L"]
    """Residues that are resolved in that model, with neighbours."""
    tm: Float[Tensor, " n"]
    """TM-score against that model."""


PARTS = tuple(part.name for part in fields(ScoredConformers))


@dataclass(frozen=True)
class ConformerPlan:
    """What is sampled of each chain: conformers 1 to `conformers`, once per temperature, then some of the first ones
    again as mirror images, then as many built on templates, where it has them."""

    sampler: SamplerConfig
    taus: tuple[float, ...]
    conformers: int
    mirrors: int
    seed: int
    templates: Path | None = None
    """File of templates of the chains (`runs/references.py`)."""


def score_conformers(c1: Float[Tensor, "n L 3"], chain: Chain, scored_atom: int) -> ScoredConformers:
    """Score conformers against all models of a chain, whose atom number `scored_atom` is C1'."""
    true, mask = torch.from_numpy(chain.coords[:, :, scored_atom]), torch.from_numpy(chain.mask[:, :, scored_atom])
    scores, best = tm_scores(c1, true, mask, seeds=FAST_SEEDS).max(1)
    local = c1_lddt(c1, true[best], mask[best])
    return ScoredConformers(c1, local.per_residue, local.scored, scores.float())


def template_slots(chain: str, templates: ChainReferences, model: ModelConfig, most: int) -> dict[int, Slot]:
    """What conformers of a training chain are built on, as in sampling: its first templates, `most` of them."""
    uses, copies = [], []
    for k in templates.of(chain)[:most]:
        coords, known = templates.reference(k)
        coverage, trust = float(known.any(1).float().mean()), float(templates.trust[k])
        # Only coverage and trust count here.
        uses.append(TemplateUse("library", templates.templates[k], NO_DATE, math.nan, coverage, math.nan, trust))
        copies.append(Transferred(coords.numpy(), known.numpy()))
    return Known(uses, copies).slots(model, TemplateConfig())


def sample_scored(
    checkpoint: Checkpoint, chain: Chain, plan: ConformerPlan, templates: ChainReferences | None = None
) -> ScoredConformers:
    """Sample conformers of one chain and score them; `templates` are those of `plan.templates`.

    Raises:
        SamplingError: a conformer stayed unusable.
    """
    scored_atom = checkpoint.config.model.atoms.index("C1'")
    flow, features, sampled = Flow.of(checkpoint), from_chain(chain), []
    for tau in plan.taus:
        sampling = SamplingPlan(plan.conformers, seed=plan.seed, options=replace(plan.sampler, tau=tau))
        sampled.append(draw_conformers(flow, features, chain.name, sampling).coords[:, :, scored_atom].clone())
    if plan.mirrors:
        sampled.append(sampled[0][: plan.mirrors] * torch.tensor(MIRROR))
    slots = {} if templates is None else template_slots(chain.name, templates, flow.model.config, plan.conformers)
    if slots:
        sampling = SamplingPlan(len(slots), seed=plan.seed, options=plan.sampler)
        built = draw_conformers(flow, features, chain.name, sampling, slots=slots)
        sampled.append(built.coords[:, :, scored_atom].clone())
    return score_conformers(torch.cat(sampled), chain, scored_atom)


def conformers_file(cache: Path, checkpoint: Checkpoint, dataset: str, plan: ConformerPlan) -> Path:
    """The file of the conformers that this checkpoint gives for a dataset (by its fingerprint) under a plan."""
    sampler = {name: value for name, value in asdict(plan.sampler).items() if name not in ("tau", "chunk")}
    key = {**asdict(plan), "sampler": sampler, "checkpoint": checkpoint.fingerprint, "dataset": dataset}
    # Without templates the name is what it was before there were any: old files serve.
    del key["templates"]
    if plan.templates is not None:
        key["templates"] = hash_files([plan.templates])
    digest = hashlib.sha256(json.dumps({"format": FORMAT, **key}, sort_keys=True).encode()).hexdigest()
    return cache / f"conformers-{digest[:32]}.safetensors"


def sample_conformer_set(
    checkpoint: Checkpoint,
    chains: Sequence[Chain],
    plan: ConformerPlan,
    file: Path,
    deadline: float | None = None,
) -> list[ScoredConformers]:
    """The conformers of all chains: those that the file holds; the others are sampled now and added to it.

    Args:
        checkpoint: of the structure model, on the device on which it samples.
        chains: with distinct names.
        plan: what is sampled of each.
        file: see `conformers_file`.
        deadline: `time.monotonic()` at which sampling stops.

    Raises:
        InputError: the file is damaged, a chain cannot be sampled, or the time was over; what was sampled is saved.
    """
    conformer_set = read_conformers(file) if file.is_file() else {}
    templates = None if plan.templates is None else ChainReferences.open(plan.templates)
    missing = [chain for chain in chains if chain.name not in conformer_set]
    saved = time.monotonic()
    try:
        with progress_bar(f"sampling conformers of {len(missing)} chains", len(missing)) as advance:
            for number, chain in enumerate(missing):
                if deadline is not None and time.monotonic() > deadline:
                    left = f"{len(missing) - number} of {len(chains)} chains are still to be sampled"
                    raise InputError(file, None, f"the time is over, and {left}: run the same command again to go on")
                try:
                    conformer_set[chain.name] = sample_scored(checkpoint, chain, plan, templates)
                except SamplingError as error:
                    raise InputError(checkpoint.path, chain.name, str(error)) from error
                advance(1, chain.name)
                if time.monotonic() - saved > SAVE_SECONDS:
                    write_conformers(file, conformer_set)
                    saved = time.monotonic()
    finally:
        if missing:
            write_conformers(file, conformer_set)
    return [conformer_set[chain.name] for chain in chains]


def write_conformers(file: Path, conformer_set: dict[str, ScoredConformers]) -> None:
    """Write conformers by the names of their chains, the whole file or nothing."""
    tensors = {
        f"{name}/{part}": value for name, scores in conformer_set.items() for part, value in vars(scores).items()
    }
    with atomic_write(file) as opened:
        opened.write(save({name: tensor.contiguous() for name, tensor in tensors.items()}))


def read_conformers(file: Path) -> dict[str, ScoredConformers]:
    """What `write_conformers` wrote.

    Raises:
        InputError: the file is damaged.
    """
    try:
        tensors = load_file(file)
        names = dict.fromkeys(key.rpartition("/")[0] for key in tensors)
        return {name: ScoredConformers(*(tensors[f"{name}/{part}"] for part in PARTS)) for name in names}
    except (SafetensorError, KeyError, OSError) as error:
        raise InputError(
            file, None, f"cannot be read as a file of conformers; delete it to sample them again: {error}"
        ) from error
