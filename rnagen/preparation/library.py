"""A prepared dataset -> a template library: of each sequence the first structure, and later ones that resolve more."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from rnagen.data.chains import ChainInfo, Chains
from rnagen.secondary.trace import pair_table_of_trace
from rnagen.structure import BEADS, UNKNOWN
from rnagen.templates.fragments import Fragments
from rnagen.templates.library import C1, FARTHEST, Library, TemplateChain, TemplateInfo, centred_beads

SHORTEST = 10
"""nt; shorter chains carry no fold."""
MORE = 1.05
"""A later structure of a sequence is worth its place if it resolves so many times as many beads."""


def library_of(chains: Chains) -> Library:
    """The library of all chains of a dataset. Beads of chains with C1' alone are rebuilt from fragments of the others.

    Args:
        chains: with the atoms `rnagen.structure.BEADS`.
    """
    found = [template_of(chains, row) for row in range(len(chains)) if chains.lengths[row] >= SHORTEST]
    chosen = _one_per_sequence([one for one in found if one.mask[:, C1].any() and _fits(one)])
    fragments = Fragments(Library.of([one for one in chosen if _is_full(one)]))
    return Library.of([one if _is_full(one) else fragments.complete(one) for one in chosen])


def template_of(chains: Chains, row: int) -> TemplateChain:
    """A chain of a dataset as a template: of its models the one that resolves most."""
    chain, info = chains.chain(row), chains.infos[row]
    best = int(chain.mask.sum((1, 2)).argmax())
    bases, coords, mask, table = (
        chain.bases.astype(np.uint8),
        chain.coords[best],
        chain.mask[best],
        chain.pair_tables[:, 0],
    )
    if (table == UNKNOWN).all():
        table = pair_table_of_trace(bases, coords[:, C1], mask[:, C1])
    return TemplateChain(_info(info), bases, coords, mask, table)


def _info(info: ChainInfo) -> TemplateInfo:
    return TemplateInfo(info.name, info.entry, info.release_date, info.cluster, info.benchmark)


def _one_per_sequence(found: Sequence[TemplateChain]) -> list[TemplateChain]:
    """By name; of equal sequences those that resolve more than all that were released before."""
    by_sequence: dict[bytes, list[TemplateChain]] = defaultdict(list)
    for one in sorted(found, key=lambda one: (one.info.release_date or "9999", -int(one.mask.sum()), one.info.name)):
        better = by_sequence[one.bases.tobytes()]
        if not better or one.mask.sum() > MORE * max(other.mask.sum() for other in better):
            better.append(one)
    return sorted((one for some in by_sequence.values() for one in some), key=lambda one: one.info.name)


def _fits(chain: TemplateChain) -> bool:
    return bool(np.abs(centred_beads(chain.coords, chain.mask)).max() < FARTHEST)


def _is_full(chain: TemplateChain) -> bool:
    """Whether most residues have all beads."""
    resolved = chain.mask[:, C1]
    return bool(chain.mask[resolved].sum() > len(BEADS) / 2 * resolved.sum())
