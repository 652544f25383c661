"""The conformers of a validation chain: their scores, by names with the number of conformers, and their traces."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.evaluation.baselines import helix
from rnagen.evaluation.conformers import score_ensemble
from rnagen.features import Chain
from rnagen.metrics import conformer_geometry, tm_scores
from rnagen.report.structures import SampledRNA
from rnagen.structure import RNAStructure

GEOMETRY = ("clashing_residues", "bond_outliers")
"""What is taken of `rnagen.metrics.bonds.conformer_geometry`: both are shares."""


class Validated(NamedTuple):
    """A validation chain with its conformers."""

    scores: dict[str, float]
    """By `score_names`."""
    sampled: SampledRNA


def best_of(conformers: int) -> str:
    """Name of the TM-score of the best of so many conformers."""
    return f"tm_best{conformers}"


def score_names(conformers: int) -> tuple[str, ...]:
    """Names of the scores of so many conformers; a single one has no diversity."""
    names = ["tm_best1", best_of(conformers), "tm_helix", f"lddt_best{conformers}", f"lddt_mean{conformers}"]
    diversity = ["one_minus_tm"] if conformers > 1 else []
    names += [f"{name}_mean{conformers}" for name in (*diversity, *GEOMETRY)]
    return tuple(dict.fromkeys(names))


def validate_conformers(coords: Float[Tensor, "n L A 3"], chain: Chain, atoms: tuple[str, ...]) -> Validated:
    """Score conformers of a chain (Å, complete) against all its models, as `rnagen evaluate` does.

    Args:
        coords: of the conformers.
        chain: with coordinates of the same atoms.
        atoms: names of the atoms; C1' is one of them.
    """
    scored, n = atoms.index("C1'"), len(coords)
    present = torch.ones(coords.shape[:3], dtype=torch.bool)
    samples, refs = coords[:, :, scored], torch.from_numpy(chain.coords[:, :, scored])
    masks = torch.from_numpy(chain.mask[:, :, scored])
    found = score_ensemble(samples, present[:, :, scored], refs, masks)
    structure = RNAStructure(chain.name, chain.sequence, coords.numpy(), present.numpy(), atoms, chain.residue_index)
    models = conformer_geometry(structure)
    scores = {
        "tm_best1": float(found.tm[0]),
        best_of(n): float(found.tm.max()),
        "tm_helix": float(tm_scores(helix(len(structure)), refs, masks).max()),
        f"lddt_best{n}": float(found.lddt.max()),
        f"lddt_mean{n}": float(found.lddt.mean()),
        f"one_minus_tm_mean{n}": found.one_minus_tm,
        **{f"{name}_mean{n}": float(np.mean([model[name] for model in models])) for name in GEOMETRY},
    }
    sampled = SampledRNA(chain.name, refs[0].numpy(), masks[0].numpy(), samples.numpy(), found.tm.numpy())
    return Validated({name: scores[name] for name in score_names(n)}, sampled)
