"""Target: one RNA to predict, as an input file names it."""

import re
from dataclasses import dataclass
from pathlib import Path

from rnagen.io.errors import InputError
from rnagen.io.residues import clean_sequence

_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]|\.\.|^\.|\s")
_MAX_NAME = 200  # file systems allow 255 bytes, and files beside the folder are named after it


@dataclass(frozen=True)
class Target:
    """A name, safe as a folder name, and a sequence over `ACGUN`; `warnings` says what was changed to get there."""

    name: str
    sequence: str
    warnings: tuple[str, ...] = ()


def make_target(file: str | Path, name: str, text: str) -> Target:
    """Target from a record of `file`: the name checked, the sequence cleaned.

    Raises:
        InputError: a name that is empty or no folder can have, an empty sequence, characters that are no nucleotide.
    """
    if not name:
        raise InputError(file, None, "a record without a name")
    unsafe = _UNSAFE.search(name)
    if unsafe:
        raise InputError(file, name, f"{unsafe[0]!r} in the name: names become folder names")
    if len(name.encode()) > _MAX_NAME:
        raise InputError(file, name[:40] + "…", f"name longer than {_MAX_NAME} bytes: names become folder names")
    try:
        sequence, warnings = clean_sequence(text)
    except ValueError as error:
        raise InputError(file, name, str(error)) from None
    return Target(name, sequence, tuple(warnings))
