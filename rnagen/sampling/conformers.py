"""The conformers of one RNA: one context, then the solver for all of them at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.config.sampling import SamplingPlan
from rnagen.features import References, RNAFeatures
from rnagen.model.model import TrunkContext
from rnagen.sampling.denoiser import Denoiser, Evaluated, Fixed, Flow, adjustment, nothing
from rnagen.sampling.secondary import sampled_secondary_structures, stable_seed
from rnagen.sampling.solver import solver_of

MAX_COORDINATE = 5000.0
"""Å from the centre; a conformer that reaches further has exploded. PDB files end at 9999."""
ATTEMPTS = 3
"""Times a conformer with non-finite or exploded coordinates is sampled before it counts as failed."""


class SamplingError(RuntimeError):
    """A target could not be sampled; the message gives the reason."""


@dataclass(frozen=True)
class Slot:
    """What is known of a conformer, which the model completes."""

    coords: Float[Tensor, "L A 3"]
    """Å."""
    mask: Bool[Tensor, "L A"]
    """Atoms that are known."""
    until: float
    """Time of the flow from which on the model is free to move them: at 1 they stay as they are, at 0 it is free from
    the beginning."""
    references: References | None = None
    """Of one RNA; what a model that reads them is conditioned on."""


@dataclass(frozen=True)
class Conformers:
    """Conformers of one RNA, and what the trunk knew of it."""

    coords: Float[Tensor, "n L A 3"]
    """Å, centred, on the CPU."""
    evaluations: int
    """Calls of the model per conformer; those of a guide count too."""
    redrawn: int
    """Conformers that were sampled again because their coordinates were unusable."""
    known: TrunkContext


_Group = tuple[list[int], Callable[[], "_RNA"]]
"""Conformers that are sampled together, and what makes their context."""


def conformer_generator(seed: int, name: str, conformer: int, attempt: int = 0) -> torch.Generator:
    """Random numbers of one conformer: a function of the seed, the target's name and the conformer's number alone."""
    return torch.Generator().manual_seed(stable_seed(seed, name, conformer, attempt))


def usable(coords: Float[Tensor, "n L A 3"]) -> Bool[Tensor, " n"]:
    """Which conformers are finite and of a size that an RNA can have."""
    flat = coords.flatten(1)
    return torch.isfinite(flat).all(1) & (flat.abs().amax(1) < MAX_COORDINATE)


def draw_conformers(
    flow: Flow,
    features: RNAFeatures,
    name: str,
    plan: SamplingPlan,
    guide: Flow | None = None,
    slots: Mapping[int, Slot] | None = None,
    evaluated: Evaluated = nothing,
) -> Conformers:
    """Draw the conformers of one RNA. Those with unusable coordinates are sampled again, up to `ATTEMPTS` times;
    conformers that repel each other are sampled again together.

    Args:
        flow: the model.
        features: of the RNA, [1, L].
        name: of the RNA; part of the seed.
        plan: how many conformers, and how.
        guide: a worse model to be guided away from.
        slots: what is known of some conformers, by their position among all of the RNA.
        evaluated: is called after evaluations of the model, for progress.

    Raises:
        ConfigError: options that cannot be combined (see `check_sampling` for those of a model and its guide).
        SamplingError: a conformer stayed unusable; nothing is returned.
    """
    slots = slots or {}
    groups = _Groups(flow, features, plan, slots, partial(_RNA, flow, name=name, plan=plan, guide=guide))
    waiting = list(plan.places)
    coords = torch.empty(len(waiting), features.bases.shape[1], len(flow.model.config.atoms), 3)
    redrawn = evaluations = 0
    for attempt in range(ATTEMPTS):
        left: list[int] = []
        for some, of in groups.of(waiting, name, attempt):
            new, used = of().draw(some, attempt, evaluated, slots if some[0] in slots else None)
            evaluations = max(evaluations, used)
            good = usable(new)
            if plan.options.diversity and not good.all():
                good = torch.zeros_like(good)
            for k, ok, conformer in zip(some, good, new):
                if ok:
                    coords[plan.places.index(k)] = conformer
            left += [k for k, ok in zip(some, good) if not ok]
        waiting = sorted(left)
        if not waiting:
            return Conformers(coords, evaluations, redrawn, groups.own().context.of_trunk)
        redrawn += len(waiting)
    numbers = ", ".join(str(k + 1) for k in waiting)
    raise SamplingError(f"{name}: conformers {numbers} had non-finite or exploded coordinates {ATTEMPTS} times")


class _Groups:
    """Which conformers of an RNA are sampled together: those of one context. Contexts are made when they are needed,
    that with references first: of a long RNA, memory holds one, not several."""

    def __init__(
        self,
        flow: Flow,
        features: RNAFeatures,
        plan: SamplingPlan,
        slots: Mapping[int, Slot],
        ready: Callable[..., "_RNA"],
    ) -> None:
        self.features, self.plan, self.slots, self.ready = features, plan, slots, ready
        self.own = cache(lambda: ready(features))
        self.references = {k: slot.references for k, slot in slots.items() if slot.references is not None}
        # A solver that takes conformers one by one cannot tell which of several slots it is at; and in a group, the
        # others do not depend on a slot.
        self.by_one = solver_of(plan.options, flow.transport).adaptive or flow.model.config.num_conformers > 1

    def of(self, conformers: list[int], name: str, attempt: int) -> list[_Group]:
        """The groups that the conformers make up, in the order in which they are to be sampled."""
        conditioned = [k for k in conformers if k in self.references]
        groups: list[_Group] = [(some, partial(self._conditioned, some)) for some in self._together(conditioned)]
        if groups:
            self.own.cache_clear()
        copied = [k for k in conformers if k in self.slots and k not in self.references]
        groups += [(some, self.own) for some in self._together(copied)]
        free = [k for k in conformers if k not in self.slots]
        if free and self.plan.options.secondary_structures == "sampled" and self.features.pair_table is None:
            structures = sampled_secondary_structures(self.features, name, free, self.plan.seed, attempt)
            groups += [(some, partial(self.ready, of_these)) for some, of_these in structures]
        elif free:
            groups.append((free, self.own))
        return groups

    def _together(self, conformers: list[int]) -> list[list[int]]:
        return [[k] for k in conformers] if self.by_one else [conformers] if conformers else []

    def _conditioned(self, conformers: list[int]) -> "_RNA":
        """The trunk reads the first reference of every slot, whichever conformers are sampled here; their latent model
        those of each."""
        first: list[References] = []
        for _, one in sorted(self.references.items()):
            one = References(one.coords[:, :1], one.mask[:, :1], one.trust[:, :1])
            # A part that is fixed in all conformers counts once, however many there are.
            if not any(torch.equal(one.coords, other.coords) for other in first):
                first.append(one)
        joined = (torch.cat(parts, dim=1) for parts in zip(*((one.coords, one.mask, one.trust) for one in first)))
        features = replace(self.features, references=References(*joined))
        return self.ready(features, [self.references[k] for k in conformers])


def unconditional(flow: Flow, features: RNAFeatures) -> RNAFeatures:
    """What a model without a guide is guided away from: the same RNA without its label for a model that reads labels,
    else without everything that it reads."""
    return features.without_label() if flow.model.config.categories else features.without_condition()


def whole_groups(conformers: list[int], size: int) -> list[int]:
    """The numbers of all conformers in the groups that the given ones belong to, in order: of `size` each, from 0. For
    groups of one, the given ones."""
    if size == 1:
        return conformers
    return [group * size + k for group in sorted({k // size for k in conformers}) for k in range(size)]


class _RNA:
    """One RNA, ready for sampling: its context under the model and, with guidance, under the guide; with references of
    the conformers that are sampled, if they have any."""

    @torch.no_grad()
    def __init__(
        self,
        flow: Flow,
        features: RNAFeatures,
        references: Sequence[References] = (),
        *,
        name: str,
        plan: SamplingPlan,
        guide: Flow | None,
    ) -> None:
        self.flow, self.name, self.plan = flow, name, plan
        self.solver = solver_of(plan.options, flow.transport)
        self.shape = (features.bases.shape[1], len(flow.model.config.atoms), 3)
        device = next(flow.model.parameters()).device
        features, references = features.to(device), [each.to(device) for each in references]
        self.context = flow.model.condition(features, references)
        self.guide, self.guide_context = guide or flow, None
        if plan.options.cfg_scale != 1:
            known = unconditional(flow, features) if guide is None else features
            if not self.guide.model.config.references or known.references is None or not known.references.mask.any():
                known, references = replace(known, references=None), []
            self.guide_context = self.guide.model.condition(known, references)

    @torch.no_grad()
    def draw(
        self, conformers: list[int], attempt: int, evaluated: Evaluated, slots: Mapping[int, Slot] | None = None
    ) -> tuple[Float[Tensor, "n L A 3"], int]:
        """Coordinates of the numbered conformers (Å, CPU; perhaps not finite) and evaluations per conformer. Where
        slots are given, each of them has one."""
        options, device = self.plan.options, self.context.trunk.single.device
        # A group is sampled whole, whichever of its conformers are wanted: they do not depend on how many there are.
        wanted, conformers = conformers, whole_groups(conformers, self.flow.model.config.num_conformers)
        generators = [conformer_generator(self.plan.seed, self.name, k, attempt) for k in conformers]

        def recenter(x: Float[Tensor, "n L A 3"]) -> Float[Tensor, "n L A 3"]:
            return x - x.mean(dim=(1, 2), keepdim=True)

        def draw_noise(shape: torch.Size) -> Float[Tensor, "n L A 3"]:
            # On the CPU, conformer by conformer: the same numbers on every device and in every chunk.
            noise = torch.stack([torch.randn(shape[1:], generator=generator) for generator in generators])
            return recenter(noise.to(device))

        fixed = None
        if slots is not None:
            # They differ by what is known of them.
            options = replace(options, diversity=0.0)
            free = Slot(torch.zeros(self.shape), torch.zeros(self.shape[:2], dtype=torch.bool), until=0.0)
            some = [slots[k] if k in wanted else free for k in conformers]
            coords = torch.stack([slot.coords for slot in some]) / self.flow.model.config.sigma_data
            until = torch.tensor([slot.until for slot in some], device=device)
            if until.any():
                fixed = Fixed(coords.to(device), torch.stack([slot.mask for slot in some]).to(device), until)
        remembers = not self.solver.adaptive
        denoiser = Denoiser(self.flow, self.context, options.chunk, remembers, evaluated)
        away_from = None
        if self.guide_context is not None:
            away_from = Denoiser(self.guide, self.guide_context, options.chunk, remembers)
        solution = self.solver.solve(
            denoiser,
            draw_noise(torch.Size([len(conformers), *self.shape])),
            draw_noise,
            project=recenter,
            adjust=adjustment(denoiser, options, away_from, fixed),
        )
        networks = 1 if away_from is None else 2
        rows = [conformers.index(k) for k in wanted]
        return solution.x[rows].cpu() * self.flow.model.config.sigma_data, solution.evaluations * networks
