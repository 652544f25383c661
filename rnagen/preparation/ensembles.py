"""Which RNAs have several experimental conformers: what the spread of sampled conformers is held against."""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.data.chains import Chains
from rnagen.data.filters import MIN_VALIDATION
from rnagen.dates import NO_DATE
from rnagen.metrics import STATES_APART, rmsd

LONGEST = 500
"""Residues; of longer RNAs, domains move where a conformer as a whole is compared."""
LONGEST_BUNDLE = 120
"""Residues of the RNA of an NMR bundle: of longer ones, models differ because little was measured."""
LEAST_MODELS = 5
"""Models that make a bundle."""
LEAST_RESOLVED = 0.8
"""Share of the residues that every model of a chain must have."""
HELD_OUT_BUNDLES, HELD_OUT_STATES = 16, 12
"""Clusters that are held out: with an NMR bundle, and with structures that are far apart."""
LARGEST_HELD_OUT = 8
"""Training chains of a cluster that can be held out: the training loses little."""
HELD_OUT_SEED = 20220527
ENSEMBLE_COLUMNS = ("id", "sequence", "release_date", "cluster", "length", "chains", "models", "apart", "training")


@dataclass(frozen=True)
class ExperimentalEnsemble:
    """The chains of one sequence."""

    rows: list[int]
    """In the dataset, ordered by name."""
    models: int
    """Of all chains together."""
    apart: float
    """Largest RMSD in Å between two of the models, on C1'."""
    is_bundle: bool
    """Whether a chain has `LEAST_MODELS` or more, and up to `LONGEST_BUNDLE` residues."""


def experimental_ensembles(chains: Chains) -> list[ExperimentalEnsemble]:
    """The RNAs whose structures form an ensemble, by the name of their first chain: an NMR bundle (`LEAST_MODELS`, up
    to `LONGEST_BUNDLE` residues), or structures more than `STATES_APART` apart. Chains count as one RNA if they have
    the same sequence."""
    same: dict[str, list[int]] = defaultdict(list)
    for row in sorted(range(len(chains)), key=lambda row: chains.infos[row].name):
        if MIN_VALIDATION <= int(chains.lengths[row]) <= LONGEST:
            same[chains.sequence(row)].append(row)
    found = []
    for rows in same.values():
        conformers = {row: _c1(chains, row) for row in rows}
        rows = [row for row in rows if conformers[row][1].double().mean(1).amin() >= LEAST_RESOLVED]
        if not rows:
            continue
        coords, mask = (torch.cat([conformers[row][part] for row in rows]) for part in (0, 1))
        apart = _furthest(coords, mask)
        many = max(int(chains.num_models[row]) for row in rows) >= LEAST_MODELS
        is_bundle = many and coords.shape[1] <= LONGEST_BUNDLE
        if apart > STATES_APART or is_bundle:
            found.append(ExperimentalEnsemble(rows, len(coords), apart, is_bundle))
    return sorted(found, key=lambda ensemble: chains.infos[ensemble.rows[0]].name)


def ensemble_rows(chains: Chains, training: Collection[int]) -> list[list[str | int]]:
    """A row of `ENSEMBLE_COLUMNS` for each RNA of `experimental_ensembles`.

    Args:
        chains: of the dataset.
        training: rows of its training chains; an RNA counts as seen (`training` is yes) if one is in its cluster.
    """
    seen = {chains.infos[row].cluster for row in training}
    out: list[list[str | int]] = []
    for ensemble in experimental_ensembles(chains):
        infos = [chains.infos[row] for row in ensemble.rows]
        first = ensemble.rows[0]
        date = min((info.release_date for info in infos if info.release_date), default=NO_DATE)
        names = " ".join(info.name for info in infos)
        training_seen = "yes" if any(info.cluster in seen for info in infos) else "no"
        out.append([infos[0].name, chains.sequence(first), date, infos[0].cluster, int(chains.lengths[first])])
        out[-1] += [names, ensemble.models, f"{ensemble.apart:.1f}", training_seen]
    return out


def held_out_clusters(chains: Chains, training: Collection[int]) -> frozenset[int]:
    """Clusters of the training set to hold out, so that ensembles can be compared on RNAs that the model has not seen:
    `HELD_OUT_BUNDLES` with a bundle and `HELD_OUT_STATES` of the others, or as many as there are, chosen at random
    with a fixed seed among those of up to `LARGEST_HELD_OUT` training chains.

    Args:
        chains: of the dataset.
        training: rows of its training chains.
    """
    sizes = Counter(chains.infos[row].cluster for row in training)
    has_bundle: dict[int, bool] = defaultdict(bool)
    for ensemble in experimental_ensembles(chains):
        for cluster in {chains.infos[row].cluster for row in ensemble.rows}:
            if 1 <= sizes[cluster] <= LARGEST_HELD_OUT:
                has_bundle[cluster] |= ensemble.is_bundle
    rng = np.random.default_rng(HELD_OUT_SEED)
    chosen: set[int] = set()
    for kind, number in ((True, HELD_OUT_BUNDLES), (False, HELD_OUT_STATES)):
        clusters = sorted(cluster for cluster, is_bundle in has_bundle.items() if is_bundle is kind)
        chosen.update(rng.permutation(clusters)[:number].tolist())
    return frozenset(chosen)


def _c1(chains: Chains, row: int) -> tuple[Float[Tensor, "M L 3"], Bool[Tensor, "M L"]]:
    chain, column = chains.chain(row), chains.atoms.index("C1'")
    return torch.from_numpy(chain.coords[:, :, column]), torch.from_numpy(chain.mask[:, :, column])


def _furthest(coords: Float[Tensor, "n L 3"], mask: Bool[Tensor, "n L"]) -> float:
    distances = [
        float(rmsd(coords[k].expand_as(coords[:k]), coords[:k], mask[:k] & mask[k]).amax())
        for k in range(1, len(coords))
    ]
    return max(distances, default=0.0)
