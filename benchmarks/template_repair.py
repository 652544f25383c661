"""What the model makes of template copies, against the time until which the copied residues stand still.

    python benchmarks/template_repair.py --data data --splits splits

Validation chains of at most `--longest` residues that have a template similar enough for a slot; all of its up to five
templates. TM-scores (matched) of the best and the mean, shares of bond outliers, and of C1' steps outside 4 to 8 Å; the
last row is the copies as they are, with arcs for gaps and A-form ends.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float
from rich.progress import track
from torch import Tensor

from rnagen.config.sampling import SamplingPlan, TemplateConfig
from rnagen.data.dataset import Dataset
from rnagen.features import from_sequence
from rnagen.io.target import make_target
from rnagen.metrics import conformer_geometry, tm_scores
from rnagen.sampling.conformers import draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.sampling.ensemble import Models
from rnagen.sampling.templates import Known
from rnagen.structure import BEADS, RNAStructure
from rnagen.templates.library import C1

STEPS = (4.0, 8.0)
"""Å; where most C1' steps of experimental structures lie."""


@dataclass
class Options:
    """Repair of template copies by the model."""

    data: Path = Path("data")
    """Prepared dataset."""
    splits: Path = Path("splits")
    """Folder with val.csv."""
    times: tuple[float, ...] = (0.6, 0.8, 0.9, 0.95, 1.0)
    """Values of `--template-until`."""
    longest: int = 300
    """Residues of a chain at most."""


def run(options: Options) -> None:
    """Search, complete, score, print."""
    models = Models.load(None, None, "cpu", TemplateConfig(template_slots=5))
    flow, rows = Flow.of(models.structure), defaultdict[str, list[list[float]]](list)
    dataset = Dataset.open(options.data)
    for chain in track([dataset.chains.structure(row) for row in dataset.split("val", options.splits)], transient=True):
        if len(chain) > options.longest or models.known is None:
            continue
        target = make_target("data", chain.name, chain.sequence)
        features = from_sequence(flow.model.config, chain.sequence)
        known = models.known.of(target, features.pair_probabilities[0].numpy(), 5)
        if not known.uses:
            continue
        for time in options.times:
            rows[f"until {time:g}"].append(measured(chain, completed(flow, chain, known, time)))
        copies = torch.from_numpy(np.stack([copy.coords for copy in known.copies]))
        rows["copies"].append(measured(chain, copies))
    print(f"| {len(rows['copies'])} RNAs | best TM | mean TM | bond outliers | C1' steps |\n|---|---|---|---|---|")
    for name, values in rows.items():
        best, mean, bonds, steps = np.mean(values, axis=0)
        print(f"| {name} | {best:.3f} | {mean:.3f} | {bonds:.1%} | {steps:.1%} |")


def completed(flow: Flow, chain: RNAStructure, known: Known, time: float) -> Float[Tensor, "n L 4 3"]:
    """What the model makes of the copies."""
    slots = known.slots(flow.model.config, TemplateConfig(template_until=time, template_use="copy"))
    features = from_sequence(flow.model.config, chain.sequence)
    return draw_conformers(flow, features, chain.name, SamplingPlan(len(known.uses)), slots=slots).coords


def measured(chain: RNAStructure, coords: Float[Tensor, "n L 4 3"]) -> list[float]:
    """The numbers of a row, for one RNA."""
    native = chain.select_atoms(("C1'",))
    refs, masks = torch.from_numpy(native.coords[:, :, 0]), torch.from_numpy(native.mask[:, :, 0])
    scores = tm_scores(coords[:, :, C1], refs, masks).amax(1)
    whole = np.ones(tuple(coords.shape[:3]), dtype=bool)
    geometry = conformer_geometry(RNAStructure(chain.name, chain.sequence, coords.numpy(), whole, BEADS))
    steps = coords[:, :, C1].diff(dim=1).norm(dim=-1)
    outside = ((steps < STEPS[0]) | (steps > STEPS[1])).float().mean()
    bonds = float(np.mean([one["bond_outliers"] for one in geometry]))
    return [float(scores.max()), float(scores.mean()), bonds, float(outside)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(tyro.cli(Options, description=__doc__))
