"""Template chains and queries made by code."""

from dataclasses import replace

import numpy as np

from rnagen.preparation.synthetic import synthetic_rna
from rnagen.secondary.vienna import sparse_base_pairs
from rnagen.structure import BASES, BEADS, RNAStructure, encode_sequence
from rnagen.templates.library import TemplateChain, TemplateInfo
from rnagen.templates.query import Query


def template(sequence: str, pairs: list[tuple[int, int]], name: str = "1abc_A") -> TemplateChain:
    """A chain with these pairs, its residues far from each other."""
    table = np.full(len(sequence), -1, dtype=np.int16)
    for i, j in pairs:
        table[i], table[j] = j, i
    coords = np.zeros((len(sequence), len(BEADS), 3), dtype=np.float32)
    coords[:, :, 0] = 6.0 * np.arange(len(sequence))[:, None] + np.arange(len(BEADS))
    coords[:, :, 1] = 3.0 * (np.arange(len(sequence)) % 3)[:, None]
    info = TemplateInfo(name, name.split("_")[0], "2020-01-01")
    return TemplateChain(
        info, encode_sequence(sequence).astype(np.uint8), coords, np.ones(coords.shape[:2], bool), table
    )


def random_template(rng: np.random.Generator, length: int, name: str) -> TemplateChain:
    """Random bases and a few nested pairs."""
    sequence = "".join(BASES[k] for k in rng.integers(4, size=length))
    half = int(rng.integers(0, length // 2 + 1))
    return template(sequence, [(k, length - 1 - k) for k in range(min(half, (length - 3) // 2))], name)


def synthetic_template(seed: int, length: int) -> TemplateChain:
    """A synthetic RNA as a template."""
    made: RNAStructure = synthetic_rna(seed, length).select_atoms(BEADS)
    chain = template(made.sequence, [], f"s{seed}_A")
    return replace(chain, coords=made.coords[0].astype(np.float32), mask=made.mask[0])


def query(sequence: str, pairs: list[tuple[int, int]] | None = None) -> Query:
    """A query with certain pairs, or with the predicted ones."""
    found = Query.of(sequence, sparse_base_pairs(sequence).dense())
    if pairs is None:
        return found
    matrix = np.zeros((len(sequence), len(sequence)), dtype=np.float32)
    for i, j in pairs:
        matrix[i, j] = matrix[j, i] = 1
    return replace(found, pairs=matrix)


def query_of(chain: TemplateChain) -> Query:
    """The query of a template's own sequence."""
    return query("".join(BASES[base] for base in chain.bases))
