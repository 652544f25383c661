"""Strands: the RNA chains of a gemmi structure, with their residues in every model. All else is left out."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TypeVar

import gemmi

from rnagen.io.bonds import c1_distance, find_bonds, is_linked
from rnagen.io.placement import author_key, author_number, order_residues, place_residues
from rnagen.io.residues import is_dna, is_rna, parent_base

MIN_AGREEING = 0.9
"""Share of the bases that two models of one RNA have in common; a few differ where a residue has two kinds."""
MAX_STEP = 8.0
"""Å; C1' atoms of residues k apart in the sequence are hardly farther apart than k times this."""

Place = TypeVar("Place", bound=Hashable)


@dataclass(frozen=True)
class Strand:
    """One RNA chain of a file, before its atoms are put into arrays."""

    chain: str
    """Author chain name; a second strand of one name is `A-2`."""
    components: tuple[str, ...]
    """Component name of each of the L positions, unresolved ones included where the file lists them."""
    models: tuple[dict[int, gemmi.Residue], ...]
    """Per model: position in `components` (from 0) -> the residue with its coordinates."""
    has_full_sequence: bool
    """Whether `components` comes from the entity (or SEQRES) and not from the residues alone."""
    note: str = ""
    """What the file declares of this chain and does not hold; empty for nothing."""


def rna_strands(
    structure: gemmi.Structure, declared: Mapping[str, tuple[str, ...]], are_names_remediated: bool
) -> tuple[list[Strand], dict[str, str]]:
    """(RNA chains of a structure, in the order of the file: those whose polymer residues are mostly RNA; the reason for
    each chain that cannot be used, by its name).

    Positions follow the declared sequence where the file has one, else the residues; see `rnagen.io.placement`.

    Args:
        structure: with chains cut where TER records stand.
        declared: component names by author chain name (SEQRES); sequences of entities are in the structure.
        are_names_remediated: A is always RNA and DA DNA, as in mmCIF. Old PDB files call both A: then the sugar
            decides.
    """
    refused = _refuse_unnumbered(structure)
    sequences = {
        subchain: tuple(gemmi.Entity.first_mon(names) for names in entity.full_sequence)
        for entity in structure.entities
        for subchain in entity.subchains
        if entity.full_sequence
    }
    chains: dict[tuple[str, str], list[list[gemmi.Residue]]] = {}
    for model in structure:
        for key, residues in _polymers(model, sequences, declared):
            chains.setdefault(key, []).append(residues)
    strands = [
        _place(chain, same, sequences.get(which) or declared.get(chain, ()))
        for (chain, which), models in chains.items()
        for same in _by_rna(models)
    ]
    return _unique_names(strand for strand in strands if _is_mostly_rna(strand, are_names_remediated)), refused


def _refuse_unnumbered(structure: gemmi.Structure) -> dict[str, str]:
    """In place: chains with a nucleotide that has neither author nor label number are taken out; reasons by name."""
    refused = {}
    for model in structure:
        for chain in model:
            for residue in chain:
                if residue.seqid.num is None and residue.label_seq is not None:
                    residue.seqid.num = residue.label_seq
                if residue.seqid.num is None and (is_rna(residue.name) or is_dna(residue.name)):
                    refused[chain.name] = f"a residue {residue.name} without a number"
    for model in structure:
        for name in refused:
            while model.find_chain(name):
                model.remove_chain(name)
    return refused


def _unique_names(strands: Iterable[Strand]) -> list[Strand]:
    seen: dict[str, int] = {}
    named = []
    for strand in strands:
        seen[strand.chain] = number = seen.get(strand.chain, 0) + 1
        named.append(strand if number == 1 else replace(strand, chain=f"{strand.chain}-{number}".lstrip("-")))
    return named


def _polymers(
    model: gemmi.Model, sequences: Mapping[str, Sequence[str]], declared: Mapping[str, Sequence[str]]
) -> Iterator[tuple[tuple[str, str], list[gemmi.Residue]]]:
    """((author chain, subchain or number), nucleotide residues) of each strand of one model."""
    pieces: dict[str, list[list[gemmi.Residue]]] = {}
    for chain in model:
        listed: dict[str, list[gemmi.Residue]] = {}
        others = []
        for residue in chain:
            if residue.subchain in sequences and residue.label_seq is not None:
                listed.setdefault(residue.subchain, []).append(residue)
            elif residue.entity_type not in (gemmi.EntityType.NonPolymer, gemmi.EntityType.Water):
                others.append(residue)
        others = [residue for residue in others if residue.seqid.num is not None]
        for subchain, residues in listed.items():
            yield (chain.name, subchain), residues
        for _, group in groupby(others, key=lambda residue: (residue.segment, residue.subchain)):
            piece = list(group)
            pieces.setdefault(chain.name, []).extend([piece] if chain.name.strip() else _apart(piece))
    for name, parts in pieces.items():
        known = set(declared.get(name, ()))
        for number, residues in enumerate(_join([_nucleotides(part, known) for part in parts])):
            yield (name, f"strand {number}"), residues


def _by_rna(models: list[list[gemmi.Residue]]) -> list[list[list[gemmi.Residue]]]:
    """Models of one chain name that are one RNA, together: most residues that two of them share have one base."""
    groups: list[list[list[gemmi.Residue]]] = []
    for model in models:
        group = next((group for group in groups if _is_same_rna(group[0], model)), None)
        if group is None:
            groups.append([model])
        else:
            group.append(model)
    return groups


def _is_same_rna(first: list[gemmi.Residue], second: list[gemmi.Residue]) -> bool:
    bases = {author_key(residue): parent_base(residue.name) for residue in first}
    shared = [(bases[key], parent_base(r.name)) for r in second if (key := author_key(r)) in bases]
    agreeing = sum(a == b or "N" in (a, b) for a, b in shared)
    return 2 * len(shared) >= min(len(first), len(second)) and agreeing >= MIN_AGREEING * len(shared)


def _nucleotides(residues: list[gemmi.Residue], declared: set[str]) -> list[gemmi.Residue]:
    """Nucleotides of a chain whose file does not mark its polymer.

    A residue counts when its name is that of a nucleotide or stands in the declared sequence, or when it is bonded like
    a nucleotide: a 5' GTP, a modified residue whose name no table lists.
    """
    linked = {place for bond in find_bonds(residues) for place in bond}
    return [
        r
        for place, r in enumerate(residues)
        if place in linked or r.name in declared or is_rna(r.name) or is_dna(r.name)
    ]


def _apart(residues: list[gemmi.Residue]) -> list[list[gemmi.Residue]]:
    """Pieces of a chain without a name, cut where neighbours are farther apart than their numbers allow: simulation
    programs write all strands under no name."""
    pieces = [residues[:1]]
    for first, second in pairwise(residues):
        distance = c1_distance(first, second)
        step = max(author_number(second) - author_number(first), 1)
        if distance is not None and distance > 2 * MAX_STEP * step:
            pieces.append([])
        pieces[-1].append(second)
    return pieces


def _join(parts: list[list[gemmi.Residue]]) -> list[list[gemmi.Residue]]:
    """Pieces of one chain name, as TER records and segments cut them: strands, or pieces of one.

    A later piece goes on with a strand if it is bonded to it, or if the numbers leave room for the unresolved residues
    between them. Unbonded HETATM residues are ligands.
    """
    joined: list[list[gemmi.Residue]] = []
    for part in filter(None, parts):
        strand = next((strand for strand in joined if _continues(strand, part)), None)
        if strand is not None:
            strand += part
        elif not joined or not _is_ligands(part):
            joined.append(part)
    return joined


def _is_ligands(part: list[gemmi.Residue]) -> bool:
    return all(residue.het_flag == "H" for residue in part) and not find_bonds(part)


def _continues(strand: list[gemmi.Residue], part: list[gemmi.Residue]) -> bool:
    if not {author_key(r) for r in strand}.isdisjoint(author_key(r) for r in part):
        return False
    size = len(strand)
    if any((i < size) != (j < size) for i, j in find_bonds([*strand, *part])):
        return True
    last, first = strand[-1], part[0]
    step = author_number(first) - author_number(last)
    distance = c1_distance(last, first)
    if _is_ligands(part) or step < 1:
        return False
    return is_linked(last, first) is not False if step == 1 else distance is None or distance < MAX_STEP * step


def _place(chain: str, models: list[list[gemmi.Residue]], components: tuple[str, ...]) -> Strand:
    positions = [place_residues(residues, components) for residues in models] if components else [None]
    if any(found is None for found in positions):
        strand = _by_residues(chain, models)
        note = "the declared sequence is that of another molecule, and is not used"
        return replace(strand, note=note) if components else strand
    placed = tuple(_most_occupied(zip(found, residues)) for found, residues in zip(positions, models) if found)
    return Strand(chain, components, placed, has_full_sequence=True)


def _by_residues(chain: str, models: list[list[gemmi.Residue]]) -> Strand:
    """Positions are the residues of the first model, in its order; residues that only later models have sort in."""
    keyed = [_most_occupied((author_key(r), r) for r in residues) for residues in models]
    keys = [author_key(residue) for residue in order_residues(list(keyed[0].values()))]
    if any(model.keys() - keyed[0].keys() for model in keyed[1:]):
        keys = sorted({key for model in keyed for key in model})
    position = {key: i for i, key in enumerate(keys)}
    placed = tuple({position[key]: residue for key, residue in model.items()} for model in keyed)
    first = [next(model[i] for model in placed if i in model) for i in range(len(keys))]
    return Strand(chain, tuple(residue.name for residue in first), placed, has_full_sequence=False)


def _most_occupied(placed: Iterable[tuple[Place, gemmi.Residue]]) -> dict[Place, gemmi.Residue]:
    """Residues by place; of two kinds of residue at one place, the one of higher occupancy (the first on ties)."""
    best: dict[Place, gemmi.Residue] = {}
    for place, residue in placed:
        if place not in best or _occupancy(residue) > _occupancy(best[place]):
            best[place] = residue
    return best


def _occupancy(residue: gemmi.Residue) -> float:
    return max((atom.occ for atom in residue), default=0.0)


def _is_mostly_rna(strand: Strand, are_names_remediated: bool) -> bool:
    """Whether more than half of the positions are RNA: by name, and by O2' where the name is ambiguous."""
    residues: dict[int, gemmi.Residue] = {}
    for model in reversed(strand.models):
        residues.update(model)
    votes = [
        _is_ribonucleotide(residues[i], are_names_remediated) if i in residues else is_rna(name)
        for i, name in enumerate(strand.components)
    ]
    return 2 * sum(votes) > len(votes)


def _is_ribonucleotide(residue: gemmi.Residue, are_names_remediated: bool) -> bool:
    if is_dna(residue.name):
        return False
    is_named = is_rna(residue.name)
    atoms = {atom.name.replace("*", "'") for atom in residue}
    has_sugar = {"C1'", "C2'", "C3'"} <= atoms
    is_name_clear = is_named and (are_names_remediated or residue.name not in ("A", "C", "G", "U", "N"))
    return is_named if is_name_clear or not has_sugar else "O2'" in atoms
