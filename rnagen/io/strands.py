"""Strands: the RNA chains of a gemmi structure, with their residues in every model. All else is left out."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import gemmi

from rnagen.io.residues import is_dna, is_rna

MAX_BOND = 2.6
"""Å; O3' and P of neighbours closer than this are bonded (1.6 Å in good models, more in poor ones)."""

Key = tuple[int, str]
"""Author number and insertion code: unique within a chain."""


Place = TypeVar("Place", bound=Hashable)


@dataclass(frozen=True)
class Strand:
    """One RNA chain of a file, before its atoms are put into arrays."""

    chain: str
    """Author chain name."""
    components: tuple[str, ...]
    """Component name of each of the L positions, unresolved ones included where the file lists them."""
    models: tuple[dict[int, gemmi.Residue], ...]
    """Per model: position in `components` (from 0) -> the residue with its coordinates."""
    has_full_sequence: bool
    """Whether `components` comes from the entity (or SEQRES) and not from the residues alone."""


def rna_strands(structure: gemmi.Structure, are_names_remediated: bool) -> list[Strand]:
    """RNA chains of a structure, in the order of the file: those whose polymer residues are mostly RNA.

    With `are_names_remediated`, A is always RNA and DA DNA, as in mmCIF. Old PDB files call both A: then the sugar
    decides.
    Positions follow the entity's sequence (`_entity_poly_seq`, SEQRES) where the file has one, else the residues.
    """
    sequences = {
        subchain: tuple(gemmi.Entity.first_mon(names) for names in entity.full_sequence)
        for entity in structure.entities
        for subchain in entity.subchains
        if entity.full_sequence
    }
    chains: dict[tuple[str, str], list[list[gemmi.Residue]]] = {}
    for model in structure:
        for key, residues in _polymers(model, sequences):
            chains.setdefault(key, []).append(residues)
    strands = [
        _by_entity(chain, models, sequences[subchain]) if subchain else _by_residues(chain, models)
        for (chain, subchain), models in chains.items()
    ]
    return [strand for strand in strands if _is_mostly_rna(strand, are_names_remediated)]


def is_bonded(first: gemmi.Residue, second: gemmi.Residue) -> bool:
    """Whether O3' of `first` is bonded to P of `second`."""
    distance = bond_length(first, second)
    return distance is not None and distance < MAX_BOND


def bond_length(first: gemmi.Residue, second: gemmi.Residue) -> float | None:
    """O3'–P distance in Å between neighbours, None where an atom is missing."""
    oxygen = find_atom(first, "O3'", "O3*")
    phosphorus = find_atom(second, "P", "PA")
    return None if oxygen is None or phosphorus is None else oxygen.pos.dist(phosphorus.pos)


def find_atom(residue: gemmi.Residue, *names: str) -> gemmi.Atom | None:
    """First atom of any of the names, whatever its alternate location."""
    return next((atom for atom in residue if atom.name in names), None)


def _polymers(
    model: gemmi.Model, sequences: dict[str, tuple[str, ...]]
) -> Iterator[tuple[tuple[str, str], list[gemmi.Residue]]]:
    """((author chain, subchain), nucleotide residues) of one model; the subchain is empty where it has no sequence."""
    pieces: dict[str, list[list[gemmi.Residue]]] = {}
    for chain in model:
        listed: dict[str, list[gemmi.Residue]] = {}
        others = []
        for residue in chain:
            if residue.subchain in sequences and residue.label_seq is not None:
                listed.setdefault(residue.subchain, []).append(residue)
            elif residue.entity_type not in (gemmi.EntityType.NonPolymer, gemmi.EntityType.Water):
                others.append(residue)
        for subchain, residues in listed.items():
            yield (chain.name, subchain), residues
        nucleotides = _nucleotides(others)
        if nucleotides:
            pieces.setdefault(chain.name, []).append(nucleotides)
    for name, parts in pieces.items():
        for i, residues in enumerate(_join(parts)):
            yield (name if i == 0 else f"{name}-{i + 1}".lstrip("-"), ""), residues


def _nucleotides(residues: list[gemmi.Residue]) -> list[gemmi.Residue]:
    """Nucleotides of a chain whose file does not mark its polymer.

    A residue counts when its name is that of a nucleotide, or when it is bonded to its neighbour like one: a 5' GTP, a
    modified residue whose name no table lists.
    """
    bonded = [is_bonded(first, second) for first, second in pairwise(residues)]
    linked = [before or after for before, after in zip([False, *bonded], [*bonded, False])]
    return [r for r, link in zip(residues, linked) if link or is_rna(r.name) or is_dna(r.name)]


def _join(parts: list[list[gemmi.Residue]]) -> list[list[gemmi.Residue]]:
    """Pieces of one chain name, as TER records cut them: one chain unless they use the same residue numbers twice.

    A later piece of unbonded HETATM residues is ligands.
    """
    joined = [parts[0]]
    for part in parts[1:]:
        if all(r.het_flag == "H" for r in part) and not any(is_bonded(*pair) for pair in pairwise(part)):
            continue
        taken = {_key(residue) for residue in joined[-1]}
        if taken.isdisjoint(_key(residue) for residue in part):
            joined[-1] = joined[-1] + part
        else:
            joined.append(part)
    return joined


def _by_entity(chain: str, models: list[list[gemmi.Residue]], components: tuple[str, ...]) -> Strand:
    placed = tuple(
        _most_occupied((r.label_seq - 1, r) for r in residues if r.label_seq is not None) for residues in models
    )
    last = max((position for model in placed for position in model), default=0)
    if last >= len(components):
        raise ValueError(f"chain {chain}: residue {last + 1} of a sequence of {len(components)}")
    return Strand(chain, components, placed, has_full_sequence=True)


def _by_residues(chain: str, models: list[list[gemmi.Residue]]) -> Strand:
    """Positions are the residues of the first model, in its order; residues that only later models have sort in."""
    keyed = [_most_occupied((_key(r), r) for r in residues) for residues in models]
    keys = list(keyed[0])
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


def _key(residue: gemmi.Residue) -> Key:
    return author_number(residue), residue.seqid.icode.strip()


def author_number(residue: gemmi.Residue) -> int:
    """Author number of a residue.

    Raises:
        ValueError: the residue is not numbered.
    """
    if residue.seqid.num is None:
        raise ValueError(f"a residue {residue.name} without a number")
    return residue.seqid.num


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
