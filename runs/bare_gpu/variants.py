"""Other sequences for the structures of the training set, with ViennaRNA's base pairs of each, as a dataset file.

    python runs/bare_gpu/variants.py COMPACT.xz ALIGNMENTS VARIANTS.safetensors --seconds 75 --workers 11
    python runs/bare_gpu/variants.py DATA ALIGNMENTS VARIANTS.safetensors --seconds 660 --workers 2

Four kinds, made in rounds until the time is up, so that every chain gets its share:
- rows of a chain's alignment;
- mutants of the chain: pairs of the structure stay canonical pairs, loops change little;
- domains: what a helix of a long chain closes, as an RNA of its own;
- mutants of domains.

None is near a validation sequence or one of a benchmark.

The name of a variant is PARENT/START/NUMBER; number 0 is the domain itself.
"""

import argparse
import csv
import multiprocessing
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from compact import few_models, plain_pairs, read_compact
from mutations import best_mutant, domains, is_near, read_rows, table_within, usable_rows, words

from rnagen.data.chains import ChainInfo, Chains
from rnagen.data.dataset import TrainingData, is_dataset, read_data, write_dataset
from rnagen.data.filters import MIN_RESOLVED
from rnagen.features import Chain
from rnagen.secondary.pairs import SparsePairs
from rnagen.secondary.vienna import sparse_base_pairs
from rnagen.structure import BASES, BEADS

CUTOFF = "2022-05-27"
SEED = 20220527
LONGEST = 320
"""Residues of the longest chain that is varied as a whole."""
DOMAINS_FROM = 100
"""Residues of the shortest chain that domains are taken from."""
PER_CLUSTER = 5
"""Chains of a cluster that domains are taken from."""


@dataclass(frozen=True)
class Job:
    """A variant to be made of a row of the training set, from residue `start` on."""

    kind: str
    row: int
    start: int
    sequence: str
    table: np.ndarray
    """Pair table of the structure."""
    number: int


def make(job: Job) -> tuple[Job, str, SparsePairs]:
    """The sequence of a variant and its base pairs."""
    if job.kind.startswith("mutated"):
        return job, *best_mutant(job.sequence, job.table, np.random.default_rng([SEED, job.number]))
    return job, job.sequence, sparse_base_pairs(job.sequence)


def jobs(data: TrainingData, alignments: Path, forbidden: list[set[str]], rounds: int) -> Iterator[Job]:
    """What is to be made, in rounds over all chains; forbidden are the words of sequences that must not train."""
    train, rng = data.train, np.random.default_rng(SEED)
    lengths = train.lengths.tolist()
    rows = [i for i, info in enumerate(train.infos) if lengths[i] >= 20 and info.resolved >= MIN_RESOLVED]
    sequences = {i: train.sequence(i) for i in rows}
    tables = {i: train.chain(i).pair_tables[:, 0].astype(int) for i in rows}
    counts = Counter(sequences.values())

    by_query: dict[str, list[str]] = {}
    for path in sorted(alignments.glob("*.gz")):
        by_query.setdefault(*read_rows(path))
    homologues: dict[int, list[str]] = {}
    for i, sequence in sequences.items():
        if lengths[i] <= LONGEST and (usable := usable_rows(sequence, by_query.get(sequence, []), forbidden)):
            homologues[i] = [usable[k] for k in rng.permutation(len(usable))]
    parts = list(domain_parts(train, sequences, tables, rng))
    print(f"{len(rows)} chains, {len(homologues)} with rows of alignments, {len(parts)} domains", flush=True)

    for part in parts:
        yield Job("domain", *part, 0)
    number = 0
    for turn in range(rounds):
        for i, sequence in sequences.items():
            # Of sequences that occur often, the first rounds only.
            if lengths[i] > LONGEST or turn * counts[sequence] ** 0.5 >= rounds or "N" in sequence:
                continue
            number += 1
            if turn % 2 == 0 and homologues.get(i):
                yield Job("row", i, 0, homologues[i].pop(), tables[i], number)
            else:
                yield Job("mutated", i, 0, sequence, tables[i], number)
        if turn % 2 == 0:
            for part in parts:
                number += 1
                yield Job("mutated domain", *part, number)


def domain_parts(
    train: Chains, sequences: dict[int, str], tables: dict[int, np.ndarray], rng: np.random.Generator
) -> Iterator[tuple[int, int, str, np.ndarray]]:
    """Row, start, sequence and pair table of domains: of few chains of each cluster, longest first."""
    taken: dict[int, set[str]] = defaultdict(set)
    for i in sorted(sequences, key=lambda k: -len(sequences[k])):
        sequence, length = sequences[i], len(sequences[i])
        cluster = train.infos[i].cluster if train.infos[i].cluster >= 0 else -1 - i
        if length < DOMAINS_FROM or len(taken[cluster]) >= PER_CLUSTER or sequence in taken[cluster]:
            continue
        taken[cluster].add(sequence)
        resolved = train.chain(i).mask[0][:, train.atoms.index("C1'")]
        for a, b in domains(tables[i]):
            if b - a > 0.9 * length or resolved[a:b].mean() < 0.8 or "N" in sequence[a:b]:
                continue
            # With a residue or two of the strands on either side, as crystallised domains have.
            a, b = max(0, a - int(rng.integers(3))), min(length, b + int(rng.integers(3)))
            yield i, a, sequence[a:b], table_within(tables[i], a, b)


def read(path: Path, splits: Path) -> TrainingData:
    """The sets of a dataset, or of a file of compact.py."""
    if path.is_dir() or is_dataset(path):
        return read_data(path, splits, CUTOFF, BEADS)
    return read_compact(path, CUTOFF, BEADS)


def variant(train: Chains, job: Job, sequence: str, pairs: SparsePairs) -> tuple[ChainInfo, Chain]:
    """A variant as a chain: few models of its parent, or a stretch of the parent's first model."""
    info, parent = train.infos[job.row], train.chain(job.row)
    end = job.start + len(sequence)
    is_whole = len(sequence) == len(parent.bases)
    models = few_models(len(parent.coords)) if is_whole else [0]
    name = f"{info.name}/{job.start}/{job.number}"
    return replace(info, name=name), Chain(
        name=name,
        bases=np.array([BASES.index(base) for base in sequence], np.int32),
        residue_index=parent.residue_index if is_whole else np.arange(1, len(sequence) + 1, dtype=np.int32),
        coords=parent.coords[models][:, job.start : end],
        mask=parent.mask[models][:, job.start : end],
        pairs=plain_pairs(len(sequence), pairs.pairs, pairs.probabilities),
        pair_tables=table_within(parent.pair_tables, job.start, end).astype(np.int16),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="dataset (folder or file), or file of compact.py")
    parser.add_argument("alignments", type=Path, help="folder of gzipped FASTA alignments")
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--never", type=Path, default=Path("splits/casp15.csv"), help="table of a benchmark's sequences"
    )
    parser.add_argument(
        "--splits", type=Path, default=Path("splits"), help="tables of a dataset without its own splits"
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    data = read(options.data, options.splits)
    with options.never.open(newline="") as file:
        never = [record["sequence"] for record in csv.DictReader(file)]
    never += [data.val.sequence(i) for i in range(len(data.val))]
    forbidden = [words(sequence) for sequence in never]
    made: dict[tuple[int, int, str], tuple[Job, str, SparsePairs]] = {}
    counts: Counter[str] = Counter()
    with multiprocessing.get_context("fork").Pool(options.workers) as workers:
        for job, sequence, pairs in workers.imap(make, jobs(data, options.alignments, forbidden, options.rounds), 8):
            key = (job.row, job.start, sequence)
            is_unchanged = job.kind.startswith("mutated") and sequence == job.sequence
            if key not in made and not is_unchanged and not is_near(sequence, forbidden):
                made[key] = job, sequence, pairs
                counts[job.kind] += 1
            if time.monotonic() - started > options.seconds:
                print("stopped: the time is up", flush=True)
                break
        workers.terminate()
    chains = [
        variant(data.train, *item)
        for item in sorted(made.values(), key=lambda item: (item[0].row, item[0].start, item[0].number))
    ]
    infos, arrays = [info for info, _ in chains], (chain for _, chain in chains)
    write_dataset(options.out, data.train.atoms, infos, arrays, "", data.fingerprint)
    print(f"{len(made)} variants ({dict(counts)}) in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
