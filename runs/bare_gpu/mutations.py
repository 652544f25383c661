"""Sequences that can have the structure of a given RNA, and parts of it that are RNAs of their own."""

import gzip
from pathlib import Path

import numpy as np

from rnagen.secondary.pairs import SparsePairs
from rnagen.secondary.vienna import sparse_base_pairs

DOMAIN_LENGTHS = (24, 256)
CANONICAL = ("GC", "CG", "AU", "UA", "GU", "UG")
FREQUENCIES = (0.31, 0.31, 0.15, 0.15, 0.04, 0.04)
TRIES = 3
"""Mutants made until ViennaRNA predicts the pairs of the structure nearly as well as for the original."""
TOLERANCE = 0.1
WORD = 10
"""Length of the words by which similar sequences are recognised."""
SHARED = 0.3
"""Share of the words of the shorter of two sequences from which on they are near."""


def mutate(sequence: str, table: np.ndarray, rng: np.random.Generator) -> str:
    """Some base pairs of the pair table replaced by other canonical ones, and some residues in loops by others."""
    of_pairs, of_loops = rng.uniform(0.2, 0.9), rng.uniform(0.03, 0.18)
    out = list(sequence)
    for i, j in enumerate(table):
        if j > i:
            if rng.random() < of_pairs:
                out[i], out[j] = CANONICAL[rng.choice(len(CANONICAL), p=FREQUENCIES)]
        elif j < 0 and rng.random() < of_loops:
            out[i] = "ACGU"[rng.integers(4)]
    return "".join(out)


def best_mutant(sequence: str, table: np.ndarray, rng: np.random.Generator) -> tuple[str, SparsePairs]:
    """The mutant whose predicted base pairs agree best with the pair table, of up to `TRIES`; and these base pairs."""
    enough = agreement(sparse_base_pairs(sequence), table) - TOLERANCE
    tried: list[tuple[float, str, SparsePairs]] = []
    while len(tried) < TRIES and (not tried or tried[-1][0] < enough):
        mutant = mutate(sequence, table, rng)
        pairs = sparse_base_pairs(mutant)
        tried.append((agreement(pairs, table), mutant, pairs))
    return max(tried, key=lambda item: item[0])[1:]


def agreement(pairs: SparsePairs, table: np.ndarray) -> float:
    """Mean probability of the base pairs of a pair table."""
    count = int((table > np.arange(len(table))).sum())
    native = table[pairs.pairs[:, 0]] == pairs.pairs[:, 1]
    return float(pairs.probabilities[native].sum() / count) if count else 1.0


def table_within(table: np.ndarray, start: int, end: int) -> np.ndarray:
    """Pair table(s) of a stretch: a residue that pairs with one outside of it is unpaired."""
    part = table[start:end]
    inside = part - start
    return np.where(part < 0, part, np.where((inside >= 0) & (inside < end - start), inside, -1))


def domains(table: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) of what each helix of two or more stacked pairs closes, if hardly any pair leads out of it."""
    found = []
    for i, j in enumerate(table):
        if j <= i or not DOMAIN_LENGTHS[0] <= j - i + 1 <= DOMAIN_LENGTHS[1]:
            continue
        is_outermost = not (i > 0 and j + 1 < len(table) and table[i - 1] == j + 1)
        if is_outermost and table[i + 1] == j - 1:
            inside = table[i : j + 1]
            leaving = (inside >= 0) & ((inside < i) | (inside > j))
            if leaving.sum() <= 0.1 * (inside >= 0).sum():
                found.append((i, int(j) + 1))
    return found


def read_rows(path: Path) -> tuple[str, list[str]]:
    """The query of a gzipped FASTA alignment, and the other rows in the columns of its residues."""
    with gzip.open(path, "rt") as file:
        records = file.read().split(">")[1:]
    rows = ["".join(record.split("\n")[1:]).upper().replace("T", "U") for record in records]
    columns = [k for k, base in enumerate(rows[0]) if base not in "-."]
    rows = ["".join(row[k] for k in columns) for row in rows if len(row) == len(rows[0])]
    return rows[0], rows[1:]


def usable_rows(query: str, rows: list[str], forbidden: list[set[str]]) -> list[str]:
    """Rows with the query's bases where they have none, unless they are the query, too far from it or too near to a
    sequence that must not train (given by its words)."""
    usable = {}
    for row in rows:
        known = [base in "ACGU" for base in row]
        filled = "".join(base if ok else own for base, own, ok in zip(row, query, known))
        identity = sum(a == b for a, b in zip(filled, query)) / len(query)
        if sum(known) < 0.7 * len(query) or not 0.4 <= identity < 1:
            continue
        if not is_near(filled, forbidden):
            usable[filled] = None
    return list(usable)


def is_near(sequence: str, forbidden: list[set[str]]) -> bool:
    """Whether a sequence shares more than `SHARED` of its words, or of the other's, with one that must not train."""
    mine = words(sequence)
    return any(len(mine & other) > SHARED * min(len(mine), len(other)) for other in forbidden if mine and other)


def words(sequence: str) -> set[str]:
    """All stretches of `WORD` residues."""
    return {sequence[k : k + WORD] for k in range(len(sequence) - WORD + 1)}
