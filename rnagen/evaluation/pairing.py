"""Which residue of a prediction belongs to which residue of its reference."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int
from rapidfuzz.distance import Levenshtein

from rnagen.errors import InputError
from rnagen.structure import RNAStructure

ATOM = "C1'"
RESIDUES_PER_GAP = 10
"""Least mean length of the stretches that an alignment pairs: of two random RNAs, one is hardly ever found in the other
in so few pieces."""


def on_reference(prediction: RNAStructure, reference: RNAStructure) -> RNAStructure:
    """The prediction with the residues of the reference: [M, L, A, 3] for L residues of the reference, masked where the
    prediction has none.

    Residues are paired by number where the numbers overlap and the bases agree; else in order, if there are equally
    many; else by the shift of the numbers, or the alignment, that pairs most of them. An unknown base (N) fits any.

    Raises:
        InputError: they are not the same RNA, or one of them has no C1' atom; it names the target and what differs.
    """
    for structure in (prediction, reference):
        if not structure.select_atoms((ATOM,)).mask.any():
            raise InputError("", reference.name, "has no C1' atom")
    places = _pair(prediction, reference)
    if places is None:
        raise InputError("", reference.name, _difference(prediction, reference))
    has_one = places >= 0
    coords = np.where(has_one[None, :, None, None], prediction.coords[:, places], 0)
    mask = prediction.mask[:, places] & has_one[None, :, None]
    return replace(
        prediction,
        name=reference.name,
        sequence=reference.sequence,
        residue_index=reference.residue_index,
        strands=reference.strands,
        coords=coords.astype(np.float32),
        mask=mask,
    )


def count_paired(prediction: RNAStructure, reference: RNAStructure) -> int:
    """How many residues of the reference have one of the prediction; 0 where they are not the same RNA."""
    places = _pair(prediction, reference)
    return 0 if places is None else int((places >= 0).sum())


def _pair(prediction: RNAStructure, reference: RNAStructure) -> Int[np.ndarray, " L"] | None:
    """Place in the prediction of each residue of the reference, -1 for none; None where they are not the same RNA."""
    by_number = _by_number(prediction, reference, 0)
    if by_number is not None:
        return by_number
    if len(prediction) == len(reference):
        places = np.arange(len(reference))
        return places if _agree(prediction, reference, places) else None
    shifts = np.unique(prediction.residue_index[None] - reference.residue_index[:, None])
    shifted = [_by_number(prediction, reference, int(shift)) for shift in shifts]
    found = [places for places in shifted if places is not None]
    if found:
        return max(found, key=lambda places: int((places >= 0).sum()))
    return _by_alignment(prediction, reference)


def _by_number(prediction: RNAStructure, reference: RNAStructure, shift: int) -> Int[np.ndarray, " L"] | None:
    """Pairs of equal numbers, if at least half of the shorter of the two have one, and all bases agree."""
    place = {number: i for i, number in enumerate((prediction.residue_index - shift).tolist())}
    places = np.array([place.get(number, -1) for number in reference.residue_index.tolist()])
    enough = 2 * (places >= 0).sum() >= min(len(prediction), len(reference))
    return places if enough and _agree(prediction, reference, places) else None


def _by_alignment(prediction: RNAStructure, reference: RNAStructure) -> Int[np.ndarray, " L"] | None:
    """Pairs of an alignment without a mismatch that leaves out residues of one of the two, in few stretches."""
    places = np.full(len(reference), -1)
    blocks = Levenshtein.opcodes(prediction.sequence, reference.sequence)
    equal = [block for block in blocks if block.tag == "equal"]
    for block in equal:
        places[block.dest_start : block.dest_end] = np.arange(block.src_start, block.src_end)
    shorter = min(len(prediction), len(reference))
    is_contained = (places >= 0).sum() == shorter and len(equal) <= 1 + shorter // RESIDUES_PER_GAP
    return places if is_contained else None


def _agree(prediction: RNAStructure, reference: RNAStructure, places: Int[np.ndarray, " L"]) -> bool:
    pairs = ((prediction.sequence[place], base) for place, base in zip(places, reference.sequence) if place >= 0)
    return all(a == b or "N" in (a, b) for a, b in pairs)


def _difference(prediction: RNAStructure, reference: RNAStructure) -> str:
    if len(prediction) != len(reference):
        return f"{len(prediction)} residues are predicted, the reference has {len(reference)}"
    pairs = enumerate(zip(prediction.sequence, reference.sequence), start=1)
    number, a, b = next((number, a, b) for number, (a, b) in pairs if a != b and "N" not in (a, b))
    return f"residue {number} is {a} in the prediction, {b} in the reference"
