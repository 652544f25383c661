"""How well copies of known structures match RNAs of the library itself; benchmarks/search.py tells how fast it is.

    python benchmarks/templates.py --library library.safetensors
    python benchmarks/templates.py --settings pair=1 overhang=0.2,gap_extend=1 number=20

Queries are chains of the library with all atoms, one of a cluster, chosen by a seed; benchmark chains and what was
released on or after the cutoff neither ask nor answer. Templates come from other clusters and other entries. Printed
are TM-scores (matched) of the first copy and the best of five, and what each setting gains, query by query, with an
interval over the queries; `number` is how many chains are aligned, the others are those of `Scoring`. Neither
validation nor CASP15 chains are touched.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import tyro
import yaml
from rich.progress import track

from rnagen.config.files import load_config
from rnagen.metrics.paired import PairedGain
from rnagen.metrics.tm import FAST_SEEDS, tm_scores
from rnagen.secondary.cached import base_pairs
from rnagen.templates.library import C1, SHIPPED, Library, TemplateChain
from rnagen.templates.match import Match
from rnagen.templates.query import Query
from rnagen.templates.scoring import DEFAULT, Scoring
from rnagen.templates.search import ALIGNED, Searcher
from rnagen.templates.transfer import transfer

CUTOFF = "2022-05-27"
N = 5
BANDS = (20, 30, 50, 100, 601)
"""Lengths that queries are reported by, from and below."""
FULL = 0.9
"""Least share of residues with all beads in a query."""


@dataclass
class Compare:
    """Settings of the search against the defaults."""

    library: Path = SHIPPED
    """Template library."""
    settings: tuple[str, ...] = ()
    """Other settings, a row each: name=value,name=value."""
    queries: int = 150
    """RNAs that templates are searched for, at most."""
    seed: int = 0
    """Of the choice of the queries."""


class World:
    """A library, and what each of its chains may ask of it."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.clusters = np.array([info.cluster for info in library.infos])
        self.entries = np.array([info.entry for info in library.infos])
        native = np.array([info.benchmark != "" for info in library.infos])
        self.usable = (library.dates < CUTOFF) & (library.dates != "") & ~native

    def queries(self, number: int, seed: int) -> list[int]:
        """One full chain of each of so many clusters."""
        whole = np.array([self.library.chain(row).mask.all(1).mean() > FULL for row in range(len(self.library))])
        fitting = (self.library.lengths >= BANDS[0]) & (self.library.lengths < BANDS[-1])
        rows = np.flatnonzero(self.usable & whole & fitting)
        rng = np.random.default_rng(seed)
        clusters = rng.permutation(np.unique(self.clusters[rows]))
        return [int(rng.choice(rows[self.clusters[rows] == cluster])) for cluster in clusters[:number]]

    def allowed(self, row: int, own_cluster: bool = False) -> np.ndarray:
        """Chains that may serve this one."""
        other = self.entries != self.entries[row]
        return self.usable & other & (own_cluster | (self.clusters != self.clusters[row]))


def query_of(chain: TemplateChain) -> Query:
    """A library chain as a query."""
    return Query.of(chain.sequence, base_pairs(chain.sequence).dense())


def scores_of(native: TemplateChain, matches: list[Match]) -> np.ndarray:
    """TM-score of each copy; 0 where nothing could be copied."""
    scores, copies, rows = np.zeros(len(matches)), [], []
    for row, match in enumerate(matches):
        if match.can_be_copied:
            copies.append(transfer(match).coords[:, C1])
            rows.append(row)
    if copies:
        reference, mask = (torch.from_numpy(array[None, :, C1].copy()) for array in (native.coords, native.mask))
        scores[rows] = tm_scores(torch.from_numpy(np.stack(copies)), reference, mask, seeds=FAST_SEEDS)[:, 0].numpy()
    return scores


def compare(options: Compare) -> None:
    """Search with each setting, copy, score, print."""
    world = World(Library.open(options.library))
    rows = world.queries(options.queries, options.seed)
    lengths = world.library.lengths[rows]
    queries = [query_of(world.library.chain(row)) for row in rows]
    before = None
    for name in ("", *options.settings):
        scoring, number = settings_of(name)
        searcher = Searcher(world.library, scoring)
        found = np.zeros((2, len(rows)))
        for k, (row, query) in enumerate(track(list(zip(rows, queries)), description=name, transient=True)):
            scores = scores_of(world.library.chain(row), searcher.search(query, world.allowed(row), number)[:N])
            found[:, k] = scores[0], scores.max()
        before = found if before is None else before
        print(f"{name or 'default'}: {len(rows)} queries")
        for low, high in ((BANDS[0], BANDS[-1]), *pairwise(BANDS)):
            inside = (lengths >= low) & (lengths < high)
            print(f"  {low:3}-{high - 1:3} nt, {inside.sum():3}:", *lines(found[:, inside], before[:, inside]))


def settings_of(text: str) -> tuple[Scoring, int]:
    """Scoring and number of aligned chains of name=value,name=value."""
    values = dict(part.split("=") for part in text.split(",") if part)
    values = {name: yaml.safe_load(value) for name, value in values.items()}
    number = int(values.pop("number", ALIGNED))
    return load_config(DEFAULT, values, "benchmark"), number


def lines(found: np.ndarray, before: np.ndarray) -> list[str]:
    """Means of the first and the best of five, and their gains with intervals over the queries."""
    cells = []
    for name, scores, old in zip(("first", f"best of {N}"), found, before):
        gain = PairedGain((scores - old)[None])
        low, high = gain.over_targets() if scores.size else (np.nan, np.nan)
        cells.append(f"{name} {scores.mean():.4f} ({gain.mean:+.4f} [{low:+.4f}, {high:+.4f}])")
    return cells


if __name__ == "__main__":
    torch.set_num_threads(1)
    compare(tyro.cli(Compare))
