"""Duplexes of two strands against the ideal A-form double helix: does a model know that strands are apart?

    python benchmarks/duplex.py rnagen/assets/base.safetensors
    python benchmarks/duplex.py rnagen/assets/base.safetensors --n 2 --join
    python benchmarks/duplex.py rnagen/assets/base.safetensors --data data

Ends with a table: one row per length, means over its sequences. `--join` samples each duplex as one strand too, which
is what a model without an input of several strands can do. `--data` adds the helices inside experimental structures,
released before the cutoff of the checkpoint: how near to the ideal one real ones are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from rnagen import aform
from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.data.chains import Chains
from rnagen.data.dataset import Dataset
from rnagen.io.target import make_target
from rnagen.metrics import conformer_geometry, tm_scores
from rnagen.metrics.rmsd import rmsd_matrix
from rnagen.sampling.ensemble import Models, draw_ensemble
from rnagen.secondary.native import bead_pair_table
from rnagen.secondary.vienna import mfe_pairs
from rnagen.strands import SEPARATOR
from rnagen.structure import BEADS, RNAStructure

PAIRING = str.maketrans("ACGU", "UGCA")
ACROSS = (9.7, 11.7)
"""Å between the C1' of a base pair; the ideal helix has 10.8, four of five pairs inside real helices 10.3 to 10.9."""
SHARP = 2.6
"""Å, resolution; that of the structures whose helices are measured at most."""
WORD = 4
"""nt; no strand has two complementary words of this length."""
MIRROR = torch.tensor([-1.0, 1.0, 1.0])


@dataclass
class Options:
    """What to sample."""

    ckpt: Annotated[Path, tyro.conf.Positional]
    """Weights."""
    pairs: tuple[int, ...] = (8, 10, 12, 14, 16)
    """Base pairs of the duplexes."""
    sequences: int = 2
    """Duplexes of each length."""
    n: int = 5
    """Conformers of each."""
    steps: int = 20
    """Solver steps."""
    seed: int = 0
    """Of sequences and conformers."""
    join: bool = False
    """Sample each duplex as one strand too."""
    data: Path | None = None
    """Prepared dataset, whose helices are measured too."""
    helices: int = 200
    """Of each length at most."""


@dataclass(frozen=True)
class Row:
    """Means over the conformers of a length; `best` over its duplexes."""

    tm: float
    """TM-score on C1', matched, to the ideal duplex."""
    best: float
    """The best conformer of a duplex."""
    mirror: float
    """The best mirror image."""
    rmsd: float
    """Å."""
    paired: float
    """Share of the base pairs whose C1' stand `ACROSS`."""
    outliers: float
    """Share of the bead distances that no RNA has."""


def ideal_duplex(pairs: int) -> Float[Tensor, "L 4 3"]:
    """Beads of both strands (Å), each from its 5' end."""
    first, second = aform.helix(pairs)
    return torch.from_numpy(np.concatenate([first, second[::-1]]).copy()).float()


def random_duplex(pairs: int, rng: np.random.Generator) -> str:
    """A strand and its reverse complement, neither of which pairs with itself."""
    while True:
        first = "".join(rng.choice(list("ACGU"), pairs))
        second = first.translate(PAIRING)[::-1]
        words = {first[i : i + WORD] for i in range(pairs - WORD + 1)}
        opposite = {second[i : i + WORD] for i in range(pairs - WORD + 1)}
        if not (words & opposite or mfe_pairs(first) or mfe_pairs(second)):
            return f"{first}{SEPARATOR}{second}"


def measure(models: Models, name: str, text: str, plan: SamplingPlan) -> Row:
    """Sample one duplex and hold its conformers against the ideal one."""
    structure = draw_ensemble(models, make_target("duplex", name, text), plan).structure
    return against_ideal(structure)


def against_ideal(structure: RNAStructure) -> Row:
    """Duplexes, the conformers of a structure, against the ideal one."""
    ideal = ideal_duplex(len(structure) // 2)[None, :, BEADS.index("C1'")]
    c1 = torch.from_numpy(structure.select_atoms(("C1'",)).coords[:, :, 0])
    everything = torch.ones(1, c1.shape[1], dtype=torch.bool)
    tm = tm_scores(c1, ideal, everything)[:, 0]
    half = c1.shape[1] // 2
    across = (c1[:, :half] - c1[:, half:].flip(1)).norm(dim=-1)
    return Row(
        tm=float(tm.mean()),
        best=float(tm.max()),
        mirror=float(tm_scores(c1 * MIRROR, ideal, everything).max()),
        rmsd=float(rmsd_matrix(c1, ideal, everything).mean()),
        paired=float(((across > ACROSS[0]) & (across < ACROSS[1])).float().mean()),
        outliers=float(np.mean([one["bond_outliers"] for one in conformer_geometry(structure)])),
    )


def helices(chains: Chains, pairs: int, before: str) -> Iterator[RNAStructure]:
    """Both strands of runs of so many canonical pairs, one of each chain whose structure is sharp enough and old
    enough."""
    for row, info in enumerate(chains.infos):
        if not (info.resolution <= SHARP and "" < info.release_date < before) or info.benchmark:
            continue
        chain = chains.select([row], BEADS).chain(0)
        coords, mask = chain.coords[0], chain.mask[0]
        table = bead_pair_table(chain.sequence, coords, mask)
        for start in range(len(table) - 2 * pairs + 1):
            first = np.arange(start, start + pairs)
            second = table[first]
            if second[0] - pairs >= start + pairs - 1 and (np.diff(second) == -1).all():
                both = np.concatenate([first, second[::-1]])
                if mask[both].all():
                    sequence = "".join(chain.sequence[k] for k in both)
                    yield RNAStructure(info.name, sequence, coords[None, both], mask[None, both], BEADS)
                    break


def run(options: Options) -> None:
    """Sample, score, print."""
    models = Models.load(options.ckpt, None, "cpu")
    chains = None if options.data is None else Dataset.open(options.data).chains
    plan = SamplingPlan(n=options.n, seed=options.seed, options=SamplerConfig(steps=options.steps), atoms="beads")
    rng = np.random.default_rng(options.seed)
    columns = list(Row.__dataclass_fields__)

    def line(rows: list[Row]) -> str:
        return " ".join(f"{np.mean([getattr(row, column) for row in rows]):9.3f}" for column in columns)

    print("bp".rjust(4), "strands".rjust(8), *(column.rjust(9) for column in columns))
    for pairs in options.pairs:
        duplexes = [random_duplex(pairs, rng) for _ in range(options.sequences)]
        for strands in (2, 1) if options.join else (2,):
            texts = duplexes if strands == 2 else [text.replace(SEPARATOR, "") for text in duplexes]
            rows = [measure(models, f"duplex_{pairs}_{k}", text, plan) for k, text in enumerate(texts)]
            print(f"{pairs:4} {strands:8}", line(rows), flush=True)
        if chains is not None:
            found = list(islice(helices(chains, pairs, models.structure.metadata["cutoff"]), options.helices))
            if found:
                print(f"{pairs:4} {len(found):4} real", line([against_ideal(one) for one in found]), flush=True)


if __name__ == "__main__":
    run(tyro.cli(Options))
