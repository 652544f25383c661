"""Which chains may train: the date gate, and what is long, resolved and good enough to teach anything."""

from pathlib import Path

import numpy as np
import torch

from rnagen.data.packed import PackedChains
from rnagen.errors import InputError

MIN_RESOLVED = 0.5
"""Share of residues that a training chain must have resolved."""
MIN_OVERFIT = 30
"""Residues, below which a TM-score of 1 asks for sub-ångström accuracy."""


def check_dates(chains: PackedChains, cutoff: str, source: Path) -> None:
    """Refuse a training set of which any chain must not train.

    Raises:
        InputError: a chain was released on or after the cutoff, has no date, or belongs to a benchmark.
    """
    for name, date, benchmark in zip(chains.names, chains.release_dates, chains.benchmarks):
        if benchmark:
            raise InputError(source, name, f"belongs to the benchmark {benchmark}: it must not train")
        if not date or date >= cutoff:
            when = f"released {date}" if date else "has no release date"
            raise InputError(source, name, f"{when}, but the cutoff is {cutoff}")


def trainable(chains: PackedChains, min_length: int, source: Path) -> PackedChains:
    """The chains that are long and resolved enough.

    Raises:
        InputError: there is none.
    """
    good = (chains.lengths >= min_length) & (chains.resolved >= MIN_RESOLVED)
    if not good.any():
        raise InputError(source, None, f"no chain of its training set has {min_length} residues or more")
    return chains.select(good.nonzero()[:, 0].tolist())


def share_of_clusters(chains: PackedChains, share: float, seed: int) -> PackedChains:
    """The chains of a share (0 to 1) of the clusters, at least of one, in their order.

    The clusters are put in an order that the seed draws, and the first ones are taken: of one seed, a smaller share is
    a part of every larger one.
    """
    clusters = chains.clusters.unique()
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(clusters)))
    taken = clusters[order[: max(1, round(share * len(clusters)))]]
    return chains.select(torch.isin(chains.clusters, taken).nonzero()[:, 0].tolist())


def quality_filter(
    chains: PackedChains, max_resolution: float | None, min_contacts: float, source: Path
) -> PackedChains:
    """The chains of experiments that resolve enough, or whose resolution (Å) is not known, and that touch themselves.

    Raises:
        InputError: there is none.
    """
    good = chains.contacts >= min_contacts
    if max_resolution is not None:
        good &= ~(chains.resolution > max_resolution)
    if not good.any():
        limits = f"max_resolution {max_resolution}, min_contacts {min_contacts}"
        raise InputError(source, None, f"no chain of its training set is within {limits}")
    return chains.select(good.nonzero()[:, 0].tolist())


def to_overfit(chains: PackedChains, crop: int, source: Path) -> PackedChains:
    """The longest single-model, fully resolved chain that a crop holds whole.

    Raises:
        InputError: there is none of `MIN_OVERFIT` residues or more.
    """
    lengths = chains.lengths.where((chains.num_models == 1) & (chains.resolved == 1), 0)
    fitting = lengths.where(lengths <= crop, 0)
    if not len(chains) or fitting.max() < MIN_OVERFIT:
        raise InputError(source, None, f"no fully resolved chain of {MIN_OVERFIT} to {crop} residues to overfit")
    return chains.select([int(fitting.argmax())])
