"""Baselines: predictions that know nothing about the RNA, or only its secondary structure. A model has to beat them.

Each is a set of C1' coordinates [n, L, 3] in Å, to be scored exactly as a model's conformers are. The random ones
depend on the seed alone.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rnagen.geometry import a_form_helix
from rnagen.strands import strand_numbers

STEP = 5.6
"""Å between C1' of neighbours, the median of RNA."""
ALONG_STRAND = {1: 5.5, 2: 10.6, 3: 15.1, 4: 18.8, 5: 21.6}
"""A-form C1' distance in Å between residues i and i + k of one strand."""
ACROSS_PAIR = {-3: 17.9, -2: 16.3, -1: 13.8, 0: 10.7, 1: 8.2, 2: 8.2, 3: 11.2}
"""A-form C1' distance in Å between residue i and j + k, for a pair (i, j). Medians in crystal structures: 17.6, 16.0,
13.5, 10.6, 8.1, 8.0, 11.0: the minor groove brings i near the residues after j."""
APART = 5.0
"""Å; residues that are not neighbours are pushed apart when they come closer."""

_FIT_STEPS = 600
_NEIGHBOUR_STEPS = 10


def random_walk(length: int, seed: int, n: int = 5) -> Float[Tensor, "n L 3"]:
    """Chains of steps of `STEP` in directions that know nothing of each other."""
    steps = torch.randn(n, length, 3, generator=_generator(seed))
    return (STEP * torch.nn.functional.normalize(steps, dim=-1)).cumsum(1)


def helix(length: int) -> Float[Tensor, "1 L 3"]:
    """The whole chain as one strand of an A-form helix."""
    return a_form_helix(length)[None]


def stem_fold(
    length: int, pairs: list[tuple[int, int]], seed: int, n: int = 3, strands: Sequence[int] = ()
) -> Float[Tensor, "n L 3"]:
    """Stems of a secondary structure as A-form distance restraints, everything else a chain that does not collide.

    Random walks are moved by Adam down the squared violations: the tabulated distances inside each stem, `STEP` between
    neighbours elsewhere, and `APART` from everything else. Distances do not know left from right: the mirror image of a
    result replaces it if its stems are more right-handed.

    Args:
        length: number of residues L.
        pairs: base pairs (i < j, from 0), as `rnagen.secondary.vienna.mfe_pairs` gives them.
        seed: of the random walks.
        n: number of predictions.
        strands: residues of each strand, where there are several: their ends are not neighbours.
    """
    wanted, starts = _restraints(length, pairs, strands)
    if not wanted:
        return torch.zeros(n, length, 3)
    first, second = torch.tensor(list(wanted)).T
    distance = torch.tensor(list(wanted.values()))
    x = random_walk(length, seed, n).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _FIT_STEPS, eta_min=0.02)
    with torch.enable_grad():
        for step in range(_FIT_STEPS):
            if step % _NEIGHBOUR_STEPS == 0:
                near = (torch.cdist(x.detach(), x.detach()) < 2 * APART).any(0).triu(2).nonzero().T
            optimizer.zero_grad()
            violation = (_distance(x, first, second) - distance).square().sum()
            overlap = (APART - _distance(x, *near)).clamp(min=0).square().sum()
            (violation + overlap).backward()
            optimizer.step()
            schedule.step()
    found = x.detach()
    left_handed = handedness(found, torch.tensor(starts, dtype=torch.long)) < 0
    return torch.where(left_handed[:, None, None], -found, found)


def handedness(coords: Float[Tensor, "n L 3"], starts: Int[Tensor, " S"]) -> Float[Tensor, " n"]:
    """Mean signed volume (Å³) of the three steps i → i + 1 → i + 2 → i + 3 from each start i; 0 without a start.

    It is 10 in an A-form strand, and −10 in its mirror image.
    """
    a, b, c = (coords[:, starts + k + 1] - coords[:, starts + k] for k in range(3))
    return (torch.linalg.cross(a, b, dim=-1) * c).sum(-1).sum(1) / max(len(starts), 1)


def _restraints(
    length: int, pairs: list[tuple[int, int]], strands: Sequence[int] = ()
) -> tuple[dict[tuple[int, int], float], list[int]]:
    """Distance wanted of each pair of residues (i < j), and the first residues of four in one strand of a stem."""
    strand = strand_numbers(strands, length)
    wanted = {(i, i + 1): STEP for i in range(length - 1) if strand[i] == strand[i + 1]}
    pair_table = {**dict(pairs), **{j: i for i, j in pairs}}
    starts = []
    for i, j in pair_table.items():
        # How far the pairs (i + k, j - k) go on without a gap, in both directions.
        stacked = {0}
        for sign in (1, -1):
            k = sign
            while (
                abs(k) <= max(ALONG_STRAND)
                and pair_table.get(i + k) == j - k
                and (strand[i + k], strand[j - k]) == (strand[i], strand[j])
            ):
                stacked.add(k)
                k += sign
        wanted |= {(i, i + k): distance for k, distance in ALONG_STRAND.items() if k in stacked}
        if i < j:
            wanted |= {(i, j + k): distance for k, distance in ACROSS_PAIR.items() if -k in stacked and i < j + k}
        if 3 in stacked:
            starts.append(i)
    return wanted, starts


def _distance(x: Float[Tensor, "n L 3"], i: Int[Tensor, " P"], j: Int[Tensor, " P"]) -> Float[Tensor, "n P"]:
    return (x[:, i] - x[:, j]).square().sum(-1).add(1e-4).sqrt()


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
