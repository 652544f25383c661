"""Target: one RNA to predict, from a record of an input file."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int16

from rnagen.errors import InputError
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.io.residues import clean_sequence

_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]|\.\.|^\.|\s")
_MAX_NAME = 200  # file systems allow 255 bytes, and files beside the folder are named after it


@dataclass(frozen=True)
class Target:
    """A name, safe as a folder name, and a sequence over `ACGUN`; `warnings` lists the changes that made it so."""

    name: str
    sequence: str
    warnings: tuple[str, ...] = ()
    secondary_structure: str | None = None
    """Secondary structure that its conformers are conditioned on, in dot-bracket notation; None without one."""
    alignment: Path | None = None
    """File of an alignment whose query is the sequence; None without one."""

    @property
    def pair_table(self) -> Int16[np.ndarray, " L"] | None:
        """The secondary structure as a pair table; see `parse_dot_bracket`."""
        return None if self.secondary_structure is None else parse_dot_bracket(self.secondary_structure)


def make_target(file: str | Path, name: str, text: str, secondary_structure: str | None = None) -> Target:
    """Target from a record of `file`: the name checked, the sequence cleaned.

    Raises:
        InputError: the name is empty or cannot be a folder name, the sequence is empty or has characters that are not
            nucleotides, or the secondary structure is invalid or of another length.
    """
    if not name:
        raise InputError(file, None, "a record has no name")
    unsafe = _UNSAFE.search(name)
    if unsafe:
        raise InputError(file, name, f"{unsafe[0]!r} in the name; names become folder names")
    if len(name.encode()) > _MAX_NAME:
        raise InputError(file, name[:40] + "…", f"name longer than {_MAX_NAME} bytes; names become folder names")
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
