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

    @property
    def pair_table(self) -> Int16[np.ndarray, " L"] | None:
        """The secondary structure as a pair table; see `parse_dot_bracket`."""
        return None if self.secondary_structure is None else parse_dot_bracket(self.secondary_structure)


def make_target(file: str | Path, name: str, text: str, secondary_structure: str | None = None) -> Target:
    """Target from a record of `file`: the sequence cleaned, the name as it is.

    Raises:
        InputError: the name is empty or not Unicode, the sequence is empty or has characters that are not
            nucleotides, or the secondary structure is invalid or of another length.
    """
    if not name.strip():
        raise InputError(file, None, "a record has no name")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(file, ascii(name), "the name is not Unicode text") from None
    try:
        sequence, warnings = clean_sequence(text)
    except ValueError as error:
        raise InputError(file, name, str(error)) from None
    if secondary_structure is not None:
        try:
            parse_dot_bracket(secondary_structure)
        except ValueError as error:
            raise InputError(file, name, f"secondary structure: {error}") from None
        if len(secondary_structure) != len(sequence):
            reason = f"secondary structure of {len(secondary_structure)} symbols for {len(sequence)} residues"
            raise InputError(file, name, reason)
    return Target(name, sequence, tuple(warnings), secondary_structure)
