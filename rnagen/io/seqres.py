"""Place the residues of a PDB file in its SEQRES sequence."""

import gemmi

from rnagen.io.strands import author_number


def number_by_seqres(structure: gemmi.Structure) -> None:
    """In place: label numbers (position in SEQRES, from 1) for the polymer residues of each chain.

    Author numbers that fit the sequence, shifted or not, place the residues; unshifted ones are preferred. Where none
    fits, or several shifts do, gemmi aligns the residues along the chain.
    """
    structure.merge_chain_parts()
    structure.setup_entities()
    structure.assign_label_seq_id()
    for model in structure:
        for chain in model:
            polymer = chain.get_polymer()
            entity = structure.get_entity_of(polymer)
            if entity is None or not entity.full_sequence:
                continue
            shift = _shift([gemmi.Entity.first_mon(names) for names in entity.full_sequence], list(polymer))
            if shift is not None:
                for residue in polymer:
                    residue.label_seq = author_number(residue) - shift


def _shift(sequence: list[str], residues: list[gemmi.Residue]) -> int | None:
    """What to subtract from the author numbers so that all residue names match the sequence; None if ambiguous."""
    placed = {author_number(residue): residue.name for residue in residues}
    if not placed or len(placed) != len(residues):  # insertion codes, or two kinds of residue at one place
        return None
    candidates = range(max(placed) - len(sequence), min(placed))
    fitting = [c for c in candidates if all(sequence[number - c - 1] == name for number, name in placed.items())]
    return 0 if 0 in fitting else fitting[0] if len(fitting) == 1 else None
