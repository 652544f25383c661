"""Where the residues of a chain stand: names, numbers, order and bonds are held against each other.

Files number residues from 0, run on over missing ones, list them in another order, or put modified ones at the end. No
single convention is believed: of the numberings and orders that a file offers, the one counts that contradicts the
declared sequence and the bonds least; on a tie, the one that the format gives first.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import gemmi

from rnagen.io.bonds import find_bonds, is_linked
from rnagen.io.residues import parent_base

Key = tuple[int, str]
"""Author number and insertion code: unique within a chain."""


def author_number(residue: gemmi.Residue) -> int:
    """Author number of a residue.

    Raises:
        ValueError: the residue is not numbered.
    """
    if residue.seqid.num is None:
        raise ValueError(f"a residue {residue.name} without a number")
    return residue.seqid.num


def author_key(residue: gemmi.Residue) -> Key:
    """Author number and insertion code."""
    return author_number(residue), residue.seqid.icode.strip()


def order_residues(residues: Sequence[gemmi.Residue]) -> list[gemmi.Residue]:
    """The residues from 5' to 3': in the order of the file, of the numbers, or along the bonds."""
    listed = list(residues)
    orders = [listed, sorted(listed, key=author_key)]
    if _links(listed) == len(listed) - 1:
        return listed
    orders.append(_along_bonds(listed))
    return max(orders, key=_links)


def place_residues(residues: Sequence[gemmi.Residue], components: Sequence[str]) -> list[int] | None:
    """Position (from 0) of each residue in the declared sequence; None where the residues do not fit it at all.

    Tried are the label numbers, these shifted, and the author numbers, shifted too; where none of them fits the
    sequence, the alignment of the names.
    """
    bonds = find_bonds(list(residues))
    numbered = [(_faults(residues, found, components, bonds), found) for found in _numberings(residues, components)]
    best = min(numbered, key=lambda pair: sum(pair[0]), default=None)
    if best is None or best[0][0]:
        aligned = _align(residues, components)
        faults = None if aligned is None else _faults(residues, aligned, components, bonds)
        if aligned is not None and faults is not None and (best is None or sum(faults) < sum(best[0])):
            best = faults, aligned
    return best[1] if best is not None and 2 * best[0][0] < len(residues) else None


def _links(residues: Sequence[gemmi.Residue]) -> int:
    return sum(bool(is_linked(*pair)) for pair in pairwise(residues))


def _along_bonds(residues: list[gemmi.Residue]) -> list[gemmi.Residue]:
    """Stretches of bonded residues, sorted by the lowest number in them."""
    following = dict(find_bonds(residues))
    starts = set(range(len(residues))) - set(following.values())
    stretches = []
    for start in sorted(starts):
        stretch = [start]
        while stretch[-1] in following:
            stretch.append(following[stretch[-1]])
        stretches.append(stretch)
    seen = {place for stretch in stretches for place in stretch}
    # What is left are rings: a circular RNA stays as it is listed.
    stretches += [[place] for place in range(len(residues)) if place not in seen]
    stretches.sort(key=lambda stretch: min(author_key(residues[place]) for place in stretch))
    return [residues[place] for stretch in stretches for place in stretch]


def _numberings(residues: Sequence[gemmi.Residue], components: Sequence[str]) -> Iterator[list[int]]:
    labels = [residue.label_seq - 1 for residue in residues if residue.label_seq is not None]
    if len(labels) == len(residues):
        yield from _shifted(residues, labels, components)
    numbers = [author_number(residue) - 1 for residue in residues]
    if len(set(numbers)) == len(numbers):
        yield from _shifted(residues, numbers, components)


def _shifted(residues: Sequence[gemmi.Residue], numbers: list[int], components: Sequence[str]) -> Iterator[list[int]]:
    """The numbers as they are, and shifted where one shift alone makes all names fit."""
    length = len(components)
    if min(numbers) >= 0 and max(numbers) < length:
        yield numbers
    names = dict(zip(numbers, (residue.name for residue in residues)))
    shifts = range(-min(numbers), length - max(numbers))
    fitting = [s for s in shifts if all(components[number + s] == name for number, name in names.items())]
    if len(fitting) == 1 and fitting[0] != 0:
        yield [number + fitting[0] for number in numbers]


def _faults(
    residues: Sequence[gemmi.Residue], positions: list[int], components: Sequence[str], bonds: list[tuple[int, int]]
) -> tuple[int, int]:
    """How often a placement contradicts the declared sequence, and the bonds."""
    names = [(parent_base(components[place]), parent_base(r.name)) for r, place in zip(residues, positions)]
    placed = sorted(zip(positions, residues), key=lambda pair: pair[0])
    broken = sum(second - first == 1 and is_linked(a, b) is False for (first, a), (second, b) in pairwise(placed))
    return (
        sum(declared != found for declared, found in names if "N" not in (declared, found)),
        broken + sum(positions[j] != positions[i] + 1 for i, j in bonds),
    )


def _align(residues: Sequence[gemmi.Residue], components: Sequence[str]) -> list[int] | None:
    """The position of each residue by an alignment of the names, in which gaps cost least where the chain is broken;
    None where a residue finds no place."""
    ordered = order_residues(residues)
    chain = gemmi.Chain("A")
    for residue in ordered:
        chain.add_residue(residue)
    for residue in chain:
        residue.entity_type = gemmi.EntityType.Polymer
    scoring = gemmi.AlignmentScoring()
    aligned = gemmi.align_sequence_to_polymer(list(components), chain.get_polymer(), gemmi.PolymerType.Rna, scoring)
    keys = iter(dict.fromkeys(map(author_key, ordered)))
    placed: dict[Key, int] = {}
    position = 0
    for length, kind in _steps(aligned.cigar_str()):
        if kind == "D":
            return None
        if kind == "M":
            placed |= {next(keys): place for place in range(position, position + length)}
        position += length
    return [placed[author_key(residue)] for residue in residues]


def _steps(cigar: str) -> Iterator[tuple[int, str]]:
    digits = ""
    for symbol in cigar:
        if symbol.isdigit():
            digits += symbol
        else:
            yield int(digits), symbol
            digits = ""
