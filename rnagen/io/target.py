"""Target: one RNA to predict, from a record of an input file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int16

from rnagen.dates import NO_DATE
from rnagen.errors import InputError
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.io.pair_matrix import PairMatrix
from rnagen.io.residues import clean_sequence
from rnagen.messages import number_of
from rnagen.strands import SEPARATOR, lengths_of, split_text, with_separators


@dataclass(frozen=True)
class Target:
    """A name and a sequence over `ACGUN`; `warnings` lists the changes that made it so. The folder of a name is that of
    `rnagen.io.folders.folder_names`."""

    name: str
    sequence: str
    warnings: tuple[str, ...] = ()
    secondary_structure: str | None = None
    """Secondary structure that its conformers are conditioned on, in dot-bracket notation; None without one."""
    alignment: Path | None = None
    """File of an alignment whose query is the sequence; None without one."""
    release_date: str = NO_DATE
    """No structure released on or after it may serve as a template (YYYY-MM-DD); `NO_DATE` when unknown."""
    pair_matrix: PairMatrix | None = None
    """Base-pair probabilities that replace those of ViennaRNA; None without any."""
    label: str | None = None
    """Category that its conformers are conditioned on; None without one."""
    strands: tuple[int, ...] = ()
    """Residues of each strand of an RNA of several, whose `sequence` joins them; empty for one strand."""

    @property
    def pair_table(self) -> Int16[np.ndarray, " L"] | None:
        """The secondary structure as a pair table; see `parse_dot_bracket`."""
        return None if self.secondary_structure is None else parse_dot_bracket(self.secondary_structure)


def make_target(file: str | Path, name: str, text: str, secondary_structure: str | None = None) -> Target:
    """Target from a record of `file`: the sequence cleaned, the name as it is. `&` stands between strands; in the
    secondary structure it may be left out.

    Raises:
        InputError: the name is empty or not Unicode, the sequence or a strand is empty or has characters that are not
            nucleotides, there are too many strands, or the secondary structure is invalid, of another length or of
            other strands.
    """
    if not name.strip():
        raise InputError(file, None, "a record has no name")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(file, ascii(name), "the name is not Unicode text") from None
    try:
        sequence, strands, warnings = _clean_strands(text)
    except ValueError as error:
        raise InputError(file, name, str(error)) from None
    if secondary_structure is not None:
        secondary_structure = _without_separators(file, name, secondary_structure, sequence, strands)
        if len(secondary_structure) != len(sequence):
            reason = f"secondary structure of {len(secondary_structure)} symbols for {len(sequence)} residues"
            raise InputError(file, name, reason)
        try:
            parse_dot_bracket(secondary_structure)
        except ValueError as error:
            raise InputError(file, name, f"secondary structure: {error}") from None
    return Target(name, sequence, tuple(warnings), secondary_structure, strands=strands)


def _clean_strands(text: str) -> tuple[str, tuple[int, ...], list[str]]:
    """(joined sequence, strands, warnings) of a text; messages count the residues of each strand.

    Raises:
        ValueError: as `clean_sequence` and `split_text`.
    """
    parts = split_text(text)
    cleaned: list[str] = []
    warnings: list[str] = []
    for number, part in enumerate(parts, 1):
        where = f"strand {number}: " if len(parts) > 1 else ""
        try:
            sequence, changed = clean_sequence(part)
        except ValueError as error:
            raise ValueError(f"{where}{error}") from None
        cleaned.append(sequence)
        warnings += [f"{where}{warning}" for warning in changed]
    return "".join(cleaned), lengths_of(cleaned), warnings


def _without_separators(
    file: str | Path, name: str, secondary_structure: str, sequence: str, strands: tuple[int, ...]
) -> str:
    """A secondary structure of one symbol per residue.

    Raises:
        InputError: it has `&` elsewhere than the sequence.
    """
    symbols = secondary_structure.replace(SEPARATOR, "")
    if SEPARATOR not in secondary_structure:
        return symbols
    parts = secondary_structure.split(SEPARATOR)
    if len(symbols) != len(sequence) and len(parts) == len(strands):
        wrong = next(k for k, part in enumerate(parts) if len(part) != strands[k])
        reason = f"{len(parts[wrong])} symbols for the {number_of(strands[wrong], 'residue')} of strand {wrong + 1}"
        raise InputError(file, name, f"secondary structure: {reason}")
    if len(symbols) != len(sequence):
        return symbols
    if secondary_structure != with_separators(symbols, strands):
        reason = f"secondary structure: {SEPARATOR} stands elsewhere than in the sequence"
        raise InputError(file, name, reason)
    return symbols
