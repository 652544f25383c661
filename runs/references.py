"""Structures copied from templates of the shipped library for the training chains of a dataset, as a file.

    python runs/references.py DATA SPLITS REFERENCES.safetensors --number 4 --workers 2

Each chain is searched for with its own base-pair probabilities. Its own entry, the benchmarks' structures and whatever
was released on or after the cutoff are left out. Of the templates that are similar enough, the best is taken, and of
the others, in the order of the search and cut into parts of equal size, one of each part at random: the model that
trains on them meets good templates and mediocre ones.

The file depends on the data and the options alone, not on the number of workers.
"""

import argparse
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rnagen.data.chains import Chains
from rnagen.data.dataset import read_data
from rnagen.data.references import ChainReferences, ReferenceFacts
from rnagen.metrics.tm import FAST_SEEDS, tm_scores
from rnagen.parallel import parallel_map
from rnagen.structure import BEADS
from rnagen.templates.confidence import predicted_tm
from rnagen.templates.date_filter import DateFilter
from rnagen.templates.library import C1, Library
from rnagen.templates.match import Match
from rnagen.templates.query import Query
from rnagen.templates.search import Searcher
from rnagen.templates.transfer import transfer

CUTOFF = "2022-05-27"
SEED = 20220527
SIMILARITY = 0.15
"""Least share of equal bases × share of aligned residues."""
SHORTEST = 10
"""Residues of a chain that is searched for."""


class Copy(NamedTuple):
    """One reference of a chain."""

    template: str
    trust: float
    coords: np.ndarray
    """[L, 4, 3] in Å, zero where nothing was copied."""
    known: np.ndarray
    """[L, 4]."""
    facts: ReferenceFacts


@cache
def training_chains(data: Path, splits: Path) -> Chains:
    """Those before the cutoff, with beads alone; read once in each process."""
    return read_data(data, splits, CUTOFF, BEADS).train


@cache
def searcher() -> Searcher:
    """Of the library without the structures of benchmarks."""
    library = Library.open()
    return Searcher(library.select(row for row, info in enumerate(library.infos) if not info.benchmark))


def copies(data: Path, splits: Path, number: int, row: int) -> list[Copy]:
    """The references of a training chain: at most so many, the best first."""
    torch.set_num_threads(1)
    chains, search = training_chains(data, splits), searcher()
    chain, info = chains.chain(row), chains.infos[row]
    query = Query.of(chain.sequence, chain.pairs.dense())
    served = DateFilter(CUTOFF).without(info.entry)
    matches = search.search(query, served.allowed(search.library))
    chosen = choice(matches, number, np.random.default_rng([SEED, zlib.crc32(info.name.encode())]))
    trust = predicted_tm(chosen, len(query))
    native, resolved = torch.from_numpy(chain.coords[0, :, C1]), torch.from_numpy(chain.mask[0, :, C1])
    return [copied(match, float(tm), native, resolved) for match, tm in zip(chosen, trust)]


def choice(matches: Sequence[Match], number: int, rng: np.random.Generator) -> list[Match]:
    """The best of the templates that are similar enough, and one at random of each part of the others."""
    usable = [match for match in matches if match.can_be_copied and match.similarity >= SIMILARITY]
    if number <= 1 or len(usable) <= number:
        return usable[:number]
    parts = np.array_split(np.arange(1, len(usable)), number - 1)
    return [usable[k] for k in (0, *(int(rng.choice(part)) for part in parts))]


def copied(match: Match, trust: float, native: torch.Tensor, resolved: torch.Tensor) -> Copy:
    """A template's copy, held against the C1' atoms of the chain's first model: residues that were not copied score
    nothing."""
    copy = transfer(match)
    coords = np.where(copy.known[..., None], copy.coords, 0).astype(np.float32)
    pred, known = torch.from_numpy(coords[:, C1]), torch.from_numpy(copy.known[:, C1])
    tm = float(tm_scores(pred[None], native[None], resolved[None], known[None], FAST_SEEDS))
    info = match.chain.info
    facts = ReferenceFacts(info.release_date, round(match.identity, 4), round(match.coverage, 4), round(tm, 4))
    return Copy(info.name, trust, coords, copy.known, facts)


def joined(names: Sequence[str], found: Sequence[list[Copy]]) -> ChainReferences:
    """The references of these chains, end to end."""
    copies = [copy for some in found for copy in some]
    return ChainReferences(
        chains=tuple(name for name, some in zip(names, found) for _ in some),
        templates=tuple(copy.template for copy in copies),
        trust=torch.tensor([copy.trust for copy in copies], dtype=torch.float32),
        lengths=torch.tensor([len(copy.coords) for copy in copies], dtype=torch.long),
        coords=torch.from_numpy(np.concatenate([np.zeros((0, 4, 3), np.float32), *(copy.coords for copy in copies)])),
        mask=torch.from_numpy(np.concatenate([np.zeros((0, 4), bool), *(copy.known for copy in copies)])),
        facts=tuple(copy.facts for copy in copies),
    )


def described(references: ChainReferences) -> str:
    """How many references there are, and how far the predicted TM-scores can be relied on."""
    counts = Counter(Counter(references.chains).values())
    lines = [repr(references), "chains by references: " + ", ".join(f"{n}: {counts[n]}" for n in sorted(counts))]
    trust, true = references.trust.double().numpy(), np.array([one.tm for one in references.facts])
    if len(references) > 1:
        correlation = np.corrcoef(trust, true)[0, 1]
        lines.append(f"TM-score: predicted {trust.mean():.3f}, true {true.mean():.3f}, correlation {correlation:.3f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="dataset: folder or file")
    parser.add_argument("splits", type=Path, help="folder of the tables train.csv and val.csv")
    parser.add_argument("out", type=Path, help="file to be written")
    parser.add_argument("--number", type=int, default=4, help="references of a chain at most")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    options = parser.parse_args()
    started = time.monotonic()
    chains = training_chains(options.data, options.splits)
    lengths = chains.lengths.tolist()
    rows = [row for row in range(len(chains)) if lengths[row] >= SHORTEST]
    make = partial(copies, options.data, options.splits, options.number)
    longest_first = sorted(rows, key=lambda row: -lengths[row])
    found = dict(parallel_map(make, longest_first, options.workers, "searching"))
    references = joined([chains.names[row] for row in rows], [found[row] for row in rows])
    references.write(options.out)
    print(described(references))
    print(f"{options.out}: {options.out.stat().st_size / 2**20:.1f} MiB in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
