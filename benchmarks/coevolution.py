"""What an alignment tells of the pairs of a structure, beside the fold of the sequence alone.

    python benchmarks/coevolution.py --alignments msa
    python benchmarks/coevolution.py --alignments msa --split train --chains 100

For chains of 30 to 300 nt with an alignment (ID.MSA.fasta.gz in the folder; the entry's case does not matter), one of
each cluster, by effective number of sequences: average precision and best F1 (one threshold per chain, the best) of
Watson-Crick and GU pairs at |i - j| ≥ 4; and the share of tertiary contacts (C1' nearer than 15 Å, |i - j| ≥ 6, no
Watson-Crick or GU pair within ±2) among the L/5 highest of the pairs that could be one. `sequence + alignment` is the
plain sum of the probabilities of the sequence alone and of both channels, with no weight fitted. Baselines: the
probabilities of the sequence alone; for contacts also the rate by chance and the nearest in sequence.
Brackets: 95 % over chains.

Pairs are those of `rnagen.secondary.native`. Chains with C1' alone have the helices of two or more complementary pairs
with C1' 9.3 to 11.7 Å apart, longest first: on chains with all atoms that agrees with the first definition as the last
line shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from rich.progress import track

from rnagen.data.chains import Chains
from rnagen.data.dataset import Dataset
from rnagen.errors import InputError
from rnagen.io.alignment import Alignment, read_alignment
from rnagen.metrics import bootstrap_interval
from rnagen.secondary.alignments import alignment_name
from rnagen.secondary.coevolution import alignment_features, sequence_weights
from rnagen.secondary.native import CANONICAL, SEPARATION, canonical_pair_table
from rnagen.structure import ALIGNED, HEAVY_ATOMS

SUFFIX = ".MSA.fasta.gz"
SHORTEST, LONGEST = 30, 300
DEPTHS = (4.0, 16.0)
"""Effective numbers of sequences between the bins."""
CONTACT_SEPARATION = 6
CONTACT = 15.0
"""Å."""


@dataclass
class Options:
    """What to compare."""

    alignments: Path
    """Folder of alignments."""
    data: Path = Path("data")
    """Prepared dataset."""
    splits: Path = Path("splits")
    """Folder of the splits."""
    split: str = "val"
    """Which of them; variants are chosen on `train`."""
    chains: int | None = None
    """At most so many, evenly spaced."""


@dataclass(frozen=True)
class Chain:
    """A chain and the pairs of its structure; [L, L] matrices."""

    row: int
    alignment: Alignment
    distance: np.ndarray
    """Between C1', Å; infinite where one is unresolved."""
    pairs: np.ndarray
    """Watson-Crick or GU."""
    agreement: tuple[int, int, int] | None
    """Pairs by both definitions, by all atoms, by C1' alone; None without all atoms."""


def chains(options: Options, store: Chains) -> tuple[list[int], dict[int, Alignment], int]:
    """Rows of the chains with an alignment, their alignments, and how many alignments are of another sequence."""
    files = {alignment_name(file.name.removesuffix(SUFFIX)): file for file in options.alignments.glob(f"*{SUFFIX}")}
    table = pd.read_csv(options.splits / f"{options.split}.csv", dtype=str, keep_default_na=False)
    alignments: dict[int, Alignment] = {}
    clusters, refused = set(), 0
    for name in table["id"]:
        if name not in store.rows or name not in files:
            continue
        row = store.rows[name]
        if not SHORTEST <= int(store.lengths[row]) <= LONGEST or store.infos[row].cluster in clusters:
            continue
        try:
            alignments[row] = read_alignment(files[name], store.sequence(row))
            clusters.add(store.infos[row].cluster)
        except InputError:
            refused += 1
    rows = list(alignments)
    if options.chains is not None and len(rows) > options.chains:
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, options.chains).astype(int)]
    return rows, alignments, refused


def distances(coords: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[L, L] of positions [L, 3]; infinite where one is missing."""
    apart = np.linalg.norm(coords[:, None] - coords[None], axis=-1)
    return np.where(mask[:, None] & mask[None], apart, np.inf)


def observe(store: Chains, row: int, alignment: Alignment) -> Chain:
    """Distances and pairs of the first model."""
    structure = store.structure(row)
    sequence, coords, mask = structure.sequence, structure.coords[0], structure.mask[0]
    residues = np.arange(len(sequence))
    carbon = distances(coords[:, HEAVY_ATOMS.index("C1'")], mask[:, HEAVY_ATOMS.index("C1'")])
    possible = np.array([[a + b in CANONICAL for b in sequence] for a in sequence])
    possible &= np.abs(np.subtract.outer(residues, residues)) >= SEPARATION
    helical = helices(possible & (carbon > 9.3) & (carbon < 11.7))
    if store.infos[row].kind != "full":
        return Chain(row, alignment, carbon, helical, None)
    pair_table = canonical_pair_table(structure)
    pairs = pair_table[:, None] == residues
    both = (int((pairs & helical).sum()), int(pairs.sum()), int(helical.sum()))
    return Chain(row, alignment, carbon, pairs, both)


def helices(candidates: np.ndarray) -> np.ndarray:
    """Antiparallel runs of two or more candidate pairs, the longest first, each residue in one."""
    runs = []
    for i, j in zip(*np.nonzero(np.triu(candidates))):
        if i > 0 and j + 1 < len(candidates) and candidates[i - 1, j + 1]:
            continue
        size = 1
        while i + size < j - size and candidates[i + size, j - size]:
            size += 1
        runs.append((-size, i, j))
    free = np.ones(len(candidates), dtype=bool)
    pairs = np.zeros_like(candidates)
    for size, i, j in sorted(runs):
        steps = np.arange(-size)
        steps = steps[free[i + steps] & free[j - steps]]
        if len(steps) >= 2:
            pairs[i + steps, j - steps] = pairs[j - steps, i + steps] = True
            free[i + steps] = free[j - steps] = False
    return pairs


def precision_recall(score: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Average precision and the best F1; equal scores are found together."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    found = np.cumsum(true[order])[ends]
    average = (found / (ends + 1) * np.diff(found, prepend=0)).sum() / true.sum()
    return float(average), float((2 * found / (ends + 1 + true.sum())).max())


def highest(score: np.ndarray, true: np.ndarray, count: int) -> float:
    """Share of true ones among the `count` highest scores; of equal ones at the end the expected share."""
    count = min(count, len(score))
    last = np.sort(score)[-count]
    above, level = score > last, score == last
    return float((true[above].sum() + true[level].mean() * (count - above.sum())) / count)


def measure(store: Chains, chain: Chain) -> Iterator[tuple[str, str, float]]:
    """(score, measure, value) of a chain."""
    length = len(chain.pairs)
    alone = store.chain(chain.row).pairs.dense()
    pair_features = alignment_features(chain.alignment).dense_features()
    scores = {"baseline: sequence alone": alone}
    scores |= {channel: pair_features[..., k] for k, channel in enumerate(ALIGNED)}
    scores["sequence + consensus"] = alone + pair_features[..., 0]
    scores["sequence + alignment"] = alone + pair_features.sum(-1)
    apart = np.subtract.outer(np.arange(length), np.arange(length)).T
    resolved = np.isfinite(chain.distance)
    pairing = resolved & (apart >= SEPARATION)
    near_pair = np.zeros_like(chain.pairs)
    for i, j in zip(*np.nonzero(chain.pairs)):
        near_pair[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3] = True
    touching = resolved & (apart >= CONTACT_SEPARATION) & ~near_pair
    contacts = chain.distance[touching] < CONTACT
    # One hairpin leaves nothing tertiary to look for.
    tertiary = contacts.sum() >= length / 5
    if tertiary:
        yield "baseline: chance", "contacts", float(contacts.mean())
        yield "baseline: nearest in sequence", "contacts", highest(-apart[touching], contacts, length // 5)
    for name, score in scores.items():
        if chain.pairs.any():
            average, f1 = precision_recall(score[pairing], chain.pairs[pairing])
            yield name, "AP", average
            yield name, "F1", f1
        if tertiary:
            yield name, "contacts", highest(score[touching], contacts, length // 5)


def run(options: Options) -> None:
    """Score and print."""
    store = Dataset.open(options.data).chains
    rows, alignments, refused = chains(options, store)
    if not rows:
        raise SystemExit("no chain of this split and length has an alignment here")
    bins = [
        f"M < {DEPTHS[0]:.0f}",
        *(f"M < {d:.0f}" for d in DEPTHS[1:]),
        f"M ≥ {DEPTHS[-1]:.0f}",
    ]
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    agreement = np.zeros(3)
    for row in track(rows, description="scoring", transient=True):
        chain = observe(store, row, alignments[row])
        agreement += chain.agreement or (0, 0, 0)
        depth = bins[int(np.digitize(sequence_weights(chain.alignment.rows).sum(), DEPTHS))]
        for name, what, value in measure(store, chain):
            cells = values.setdefault((what, name), {})
            for column in ("all", depth):
                cells.setdefault(column, []).append(value)
    columns = ["all", *bins]
    print(f"| | | {' | '.join(columns)} |\n|---|---|{'---|' * len(columns)}")
    for what in ("AP", "F1", "contacts"):
        for (measured, name), cells in values.items():
            if measured == what:
                print(f"| {what} | {name} | {' | '.join(cell(cells.get(column, [])) for column in columns)} |")
    print(f"{len(rows)} chains of {options.split}; {refused} alignments of another sequence; M: effective sequences")
    both, atoms, carbons = agreement
    if both:
        print(f"pairs by C1' alone: precision {both / carbons:.2f}, recall {both / atoms:.2f}")


def cell(found: list[float]) -> str:
    """Mean, interval and number."""
    if not found:
        return "none"
    low, high = bootstrap_interval(np.array(found), 0)
    return f"{np.mean(found):.3f} [{low:.3f}, {high:.3f}] ({len(found)})"


if __name__ == "__main__":
    run(tyro.cli(Options, description=__doc__))
