"""How closely a model follows references: TM-scores against their errors, their coverage and the trust in them.

    python benchmarks/references.py CKPT --data data --splits splits

Validation chains; each conformer has one reference, on which the model is conditioned and of which nothing is copied.
A reference is the native structure, bent by waves along the chain, with holes; a wrong one is a piece of another RNA,
or the native structure mirrored and bent, whose distances are right. Trust is what the reference deserves (the TM-score
of its known residues), unless the row names it. TM-scores are matched, means over conformers and chains; in brackets
95 % bootstrap intervals over the chains of what a row differs from the first, the model without a reference.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Bool, Float
from rich.progress import track
from torch import Tensor

from rnagen.checkpoints.structure import load_checkpoint
from rnagen.config.sampling import SamplingPlan
from rnagen.data.dataset import Dataset
from rnagen.features import Chain, References, from_chain
from rnagen.geometry import superpose
from rnagen.metrics import tm_scores
from rnagen.metrics.statistics import bootstrap_interval
from rnagen.metrics.tm import tm_d0
from rnagen.sampling.conformers import Slot, draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.structure import BEADS
from rnagen.tasks.structure.references import Chance, waves


@dataclass(frozen=True)
class Kind:
    """A kind of reference."""

    error: float = 0.0
    """Å, root mean square."""
    coverage: float = 1.0
    trust: float | None = None
    """What it deserves where None."""
    mirrored: bool = False
    another: bool = False
    """The first residues of another chain."""


KINDS = {
    "none": None,
    "right": Kind(),
    "right, trust 0.5": Kind(trust=0.5),
    "error 1 Å": Kind(1.0),
    "error 2 Å": Kind(2.0),
    "error 4 Å": Kind(4.0),
    "error 8 Å": Kind(8.0),
    "error 16 Å": Kind(16.0),
    "three quarters": Kind(coverage=0.75),
    "half": Kind(coverage=0.5),
    "a quarter": Kind(coverage=0.25),
    "another RNA, trust 0.1": Kind(trust=0.1, another=True),
    "another RNA, trust 0.2": Kind(trust=0.2, another=True),
    "another RNA, trust 0.9": Kind(trust=0.9, another=True),
    "mirrored, trust 0.1": Kind(8.0, trust=0.1, mirrored=True),
    "mirrored, trust 0.2": Kind(8.0, trust=0.2, mirrored=True),
    "mirrored, trust 0.9": Kind(8.0, trust=0.9, mirrored=True),
}


@dataclass
class Options:
    """Following references."""

    ckpt: tyro.conf.Positional[Path]
    """Weights of a model that reads references."""
    data: Path = Path("data")
    """Prepared dataset."""
    splits: Path = Path("splits")
    """Folder with val.csv."""
    longest: int = 200
    """Residues of a chain at most."""
    n: int = 2
    """Conformers of each kind."""
    every: int = 1
    """Every so manyth chain."""


def run(options: Options) -> None:
    """Sample, score, print."""
    flow = Flow.of(load_checkpoint(options.ckpt))
    dataset = Dataset.open(options.data)
    rows = dataset.split("val", options.splits)
    chains = [row for row in rows[:: options.every] if int(dataset.chains.lengths[row]) <= options.longest]
    scores: dict[str, list[float]] = {name: [] for name in KINDS}
    own: dict[str, list[float]] = {name: [] for name in KINDS}
    for row in track(chains, transient=True):
        chain = chain_of(dataset, row)
        c1 = flow.model.config.atoms.index("C1'")
        native = torch.from_numpy(chain.coords[:, :, c1])
        there = torch.from_numpy(chain.mask[:, :, c1])
        for number, (name, kind) in enumerate(KINDS.items()):
            plan, slots = SamplingPlan(options.n), None
            if kind is not None:
                of = another(dataset, rows, row) if kind.another else chain
                coords, mask, trust = reference(of, kind, number, len(native[0]), c1)
                references = References(coords[None, None], mask[None, None], trust[None, None])
                slots = dict.fromkeys(range(options.n), Slot(coords, mask, 0.0, references))
                own[name].append(float(tm_scores(coords[None, :, c1], native, there).max()))
            drawn = draw_conformers(flow, from_chain(chain), chain.name, plan, slots=slots).coords[:, :, c1]
            scores[name].append(float(tm_scores(drawn, native, there).max(1).values.mean()))
    print(f"| {len(chains)} RNAs | the reference itself | conformers | − without |\n|---|---|---|---|")
    without = np.array(scores["none"])
    for name, values in scores.items():
        low, high = bootstrap_interval(np.array(values) - without, 0)
        copied = f"{np.mean(own[name]):.3f}" if own[name] else ""
        gain = f"{np.mean(values) - without.mean():+.3f} [{low:+.3f}, {high:+.3f}]" if own[name] else ""
        print(f"| {name} | {copied} | {np.mean(values):.3f} | {gain} |", flush=True)


def chain_of(dataset: Dataset, row: int) -> Chain:
    """A chain with the beads alone."""
    return dataset.chains.select([row], BEADS).chain(0)


def another(dataset: Dataset, rows: list[int], row: int) -> Chain:
    """The shortest chain of the others that is as long."""
    length = dataset.chains.lengths[row]
    longer = [other for other in rows if other != row and dataset.chains.lengths[other] >= length]
    return chain_of(dataset, min(longer, key=lambda other: int(dataset.chains.lengths[other])))


def reference(
    chain: Chain, kind: Kind, seed: int, length: int, c1: int
) -> tuple[Float[Tensor, "L A 3"], Bool[Tensor, "L A"], Float[Tensor, " L"]]:
    """Coordinates, mask and trust."""
    chance = Chance(torch.Generator().manual_seed(seed), 1, slice(None), torch.device("cpu"))
    native, mask = torch.from_numpy(chain.coords[0, :length]), torch.from_numpy(chain.mask[0, :length].copy())
    bend = waves(1, 3, length, chance)[0, 0]
    bend = bend * kind.error / bend.square().sum(-1).mean().sqrt().clamp(min=1e-6)
    coords = native * torch.tensor([-1.0 if kind.mirrored else 1.0, 1, 1]) + bend[:, None]
    missing = waves(1, 1, length, chance)[0, 0, :, 0].argsort()[: round(length * (1 - kind.coverage))]
    mask[missing] = False
    known = mask[:, c1]
    trust = kind.trust
    if trust is None:
        moved = superpose(coords[None, :, c1], native[None, :, c1], known[None])[0]
        square = (moved - native[:, c1]).square().sum(-1)[known]
        trust = float((1 / (1 + square / tm_d0(int(known.sum())) ** 2)).mean())
    return coords, mask, torch.full((length,), trust)


if __name__ == "__main__":
    run(tyro.cli(Options))
