"""Which chains may train, by date, length, resolved residues, atoms and quality; and why the others do not."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from rnagen.data.chains import ChainInfo, Chains
from rnagen.dates import parse_date, parse_optional_date
from rnagen.errors import InputError

MIN_RESOLVED = 0.5
"""Share of residues that a training chain must have resolved."""
MIN_FULL = 0.1
"""Share of the training chains that must have all atoms of the model: those that hardly any chain has stay noise."""
MIN_VALIDATION = 20
"""Residues of a validation chain; the shape of a shorter one rarely follows from its own sequence."""
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


def check_atoms(chains: Chains, source: Path) -> None:
    """Refuse a training set in which hardly any chain has all of the atoms that the model generates.

    Raises:
        InputError: less than `MIN_FULL` of the chains have them.
    """
    models = chains.lengths.long() * chains.num_models
    owners = torch.arange(len(chains)).repeat_interleave(models)
    seen = torch.zeros(len(chains), len(chains.atoms)).index_add_(0, owners, chains.mask.float())
    full = int((seen > 0).all(1).sum())
    if full < MIN_FULL * len(chains):
        found = f"{full} of {len(chains)} training chains ({100 * full / len(chains):.0f} %) have all of the atoms "
        remedy = f'at least {100 * MIN_FULL:.0f} % must; add structures with all atoms, or train with --atoms "C1\'"'
        raise InputError(source, None, f"{found}{', '.join(chains.atoms)}: {remedy}")


def why_in_no_split(chains: Chains, rows: Iterable[int], cutoff: str) -> Counter[str]:
    """Why these chains of a dataset are in no split, and how many for each reason."""
    infos, lengths = chains.infos, chains.lengths.tolist()
    earlier = {info.cluster for info in infos if "" < info.release_date < cutoff}
    return Counter(_why_in_no_split(infos[row], lengths[row], cutoff, earlier) for row in rows)


def _why_in_no_split(info: ChainInfo, length: int, cutoff: str, earlier: set[int]) -> str:
    if info.benchmark:
        return f"of the benchmark {info.benchmark}"
    if not info.release_date:
        return "without a date"
    if info.release_date < cutoff:
        return "not listed in the splits"
    if info.cluster in earlier:
        return f"near copies of chains from before {cutoff}"
    if length < MIN_VALIDATION:
        return f"later than {cutoff} and shorter than {MIN_VALIDATION} residues"
    return f"later than {cutoff} and near copies of a better one"


def why_not_trainable(
    chains: Chains, rows: Iterable[int], min_length: int, max_resolution: float | None, min_contacts: float
) -> Counter[str]:
    """Why `trainable` and `quality_filter` leave out some of these chains, and how many for each reason."""

    lengths = chains.lengths.tolist()

    def why(row: int) -> str:
        info = chains.infos[row]
        if lengths[row] < min_length:
            return f"shorter than {min_length} residues"
        if info.resolved < MIN_RESOLVED:
            return f"with less than {100 * MIN_RESOLVED:.0f} % of their residues resolved"
        return "" if _is_good(info, max_resolution, min_contacts) else "outside the limits of quality"

    found = Counter(map(why, rows))
    del found[""]
    return found


def counted(reasons: Counter[str]) -> str:
    """Reasons with their numbers, the most common first; empty if there are none."""
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())


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
    good = [_is_good(info, max_resolution, min_contacts) for info in chains.infos]
    return _select(chains, good, source, f"is within max_resolution {max_resolution}, min_contacts {min_contacts}")


def _is_good(info: ChainInfo, max_resolution: float | None, min_contacts: float) -> bool:
    return info.contacts >= min_contacts and not (max_resolution is not None and info.resolution > max_resolution)


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
