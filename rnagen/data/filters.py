"""Which chains may train: the date filter, and filters by length, resolved residues and quality."""

from pathlib import Path

import numpy as np
import torch

from rnagen.data.chains import Chains
from rnagen.dates import parse_date, parse_optional_date
from rnagen.errors import InputError

MIN_RESOLVED = 0.5
"""Share of residues that a training chain must have resolved."""
MIN_OVERFIT = 30
"""Residues; for shorter chains, a TM-score of 1 takes sub-ångström accuracy."""


def check_dates(chains: Chains, cutoff: str, source: Path) -> None:
    """Refuse a training set with a chain that must not train.

    Raises:
        InputError: a chain was released on or after the cutoff, has no date, or belongs to a benchmark.
        ValueError: the cutoff is not a date.
    """
    for info in chains.infos:
        if info.benchmark:
            raise InputError(source, info.name, f"belongs to the benchmark {info.benchmark}: it must not train")
        try:
            date = parse_optional_date(info.release_date)
        except ValueError as error:
            raise InputError(source, info.name, f"release date: {error}") from None
        if not date or date >= parse_date(cutoff):
            when = f"released {info.release_date}" if info.release_date else "has no release date"
            raise InputError(source, info.name, f"{when}, but the cutoff is {cutoff}")


def trainable(chains: Chains, min_length: int, source: Path) -> Chains:
    """The chains of `min_length` residues or more with at least `MIN_RESOLVED` of them resolved.

    Raises:
        InputError: none is left.
    """
    long = chains.lengths.tolist()
    good = [n >= min_length and info.resolved >= MIN_RESOLVED for n, info in zip(long, chains.infos)]
    return _select(chains, good, source, f"has {min_length} residues or more, half of them resolved")


def share_of_clusters(chains: Chains, share: float, seed: int) -> Chains:
    """The chains of a share (0 to 1) of the clusters, at least of one, in their order.

    The seed puts the clusters in a random order, and the first ones are taken: for one seed, a smaller share is part of
    every larger one.
    """
    clusters = chains.clusters.unique()
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(clusters)))
    taken = clusters[order[: max(1, round(share * len(clusters)))]]
    return chains.select(torch.isin(chains.clusters, taken).nonzero()[:, 0].tolist())


def quality_filter(chains: Chains, max_resolution: float | None, min_contacts: float, source: Path) -> Chains:
    """The chains of experiments with a resolution (Å) up to a limit, or an unknown one, that touch themselves.

    Raises:
        InputError: none is left.
    """
    good = [
        info.contacts >= min_contacts and not (max_resolution is not None and info.resolution > max_resolution)
        for info in chains.infos
    ]
    return _select(chains, good, source, f"is within max_resolution {max_resolution}, min_contacts {min_contacts}")


def _select(chains: Chains, good: list[bool], source: Path, limits: str) -> Chains:
    if not any(good):
        raise InputError(source, None, f"no chain of its training set {limits}")
    return chains.select([row for row, is_good in enumerate(good) if is_good])


def to_overfit(chains: Chains, crop: int, source: Path) -> Chains:
    """The longest single-model, fully resolved chain that fits into a crop.

    Raises:
        InputError: none has `MIN_OVERFIT` residues or more.
    """
    models, lengths = chains.num_models.tolist(), chains.lengths.tolist()
    fitting = [
        row
        for row, info in enumerate(chains.infos)
        if models[row] == 1 and info.resolved == 1 and MIN_OVERFIT <= lengths[row] <= crop
    ]
    if not fitting:
        raise InputError(source, None, f"no fully resolved chain of {MIN_OVERFIT} to {crop} residues to overfit")
    return chains.select([max(fitting, key=lambda row: lengths[row])])
