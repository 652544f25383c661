"""The targets of a run: sequences, FASTA files, tables, or the examples that ship with rnagen."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rnagen.errors import ConfigError, InputError
from rnagen.io.plain import is_plain
from rnagen.io.target import Target, make_target
from rnagen.io.targets import read_targets
from rnagen.messages import quoted

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples.fasta"

Listed = Mapping[str, str] | Sequence[str | Target | tuple[str, str]]
Targets = str | Path | Listed
"""What Python functions take: a file or folder, one sequence, or sequences with or without names."""
_EXPECTED = "a file, a sequence, a list of sequences or of (name, sequence), or sequences by name"
_FILE_NAME = re.compile(r"[\\/]|\.\w+$")


def gather_targets(
    files: Sequence[Path],
    sequence: str | None = None,
    name: str = "rna",
    structure: str | None = None,
) -> tuple[list[Target], list[InputError]]:
    """Targets of all inputs, in order (the examples without an input), and an error for each record that is unusable.

    Args:
        files: FASTA files, tables of sequences, or folders of them.
        sequence: one more RNA, which comes first.
        name: of that RNA.
        structure: its secondary structure in dot-bracket notation.

    Raises:
        InputError: a file cannot be read, or has no record.
    """
    targets: list[Target] = []
    errors: list[InputError] = []
    if sequence is not None:
        try:
            targets.append(make_target("--sequence", name, sequence, structure))
        except InputError as error:
            errors.append(error)
    if not files and sequence is None:
        files = [EXAMPLES]
    for path in files:
        good, bad = read_targets(path)
        targets += good
        errors += bad
    return unique_targets(targets, errors)


def unique_targets(
    targets: Sequence[Target], errors: Sequence[InputError] = ()
) -> tuple[list[Target], list[InputError]]:
    """Targets of distinct names, and the errors so far with one for each of the others."""
    unique: dict[str, Target] = {}
    errors = list(errors)
    for target in targets:
        if target.name in unique:
            errors.append(InputError("inputs", target.name, "another target has this name"))
        else:
            unique[target.name] = target
    return list(unique.values()), errors


def given_file(given: object) -> Path | None:
    """The file that is meant by an argument of a Python function; None for sequences. A text is a sequence where it is
    one (ACGUTN) and no file has its name.

    Raises:
        InputError: a text that is neither.
    """
    if not isinstance(given, str):
        return given if isinstance(given, Path) else None
    if os.path.exists(given):
        return Path(given)
    if not is_plain(given.splitlines()):
        raise InputError(given, None, "no such file or folder, and not a sequence (ACGUTN)")
    return None


def given_targets(function: str, given: object) -> tuple[list[Target], list[InputError]]:
    """Targets of the sequences that a Python function was given, and an error for each that is unusable. One alone is
    named rna, those of a list rna_1, rna_2 ….

    Raises:
        ConfigError: something else than sequences; it names the function.
    """
    given = {"rna": given} if isinstance(given, str) else [given] if isinstance(given, Target) else given
    listed = given.items() if isinstance(given, Mapping) else given
    if not isinstance(listed, Iterable) or isinstance(listed, bytes):
        raise ConfigError(f"{function}: {quoted(given)} cannot be used (expected {_EXPECTED})")
    made, failures = [], []
    for number, one in enumerate(listed, 1):
        parts = (f"rna_{number}", one) if isinstance(one, str) else one
        if isinstance(parts, Target):
            made.append(parts)
            continue
        if not (isinstance(parts, list | tuple) and len(parts) == 2 and all(isinstance(part, str) for part in parts)):
            raise ConfigError(f"{function}: {quoted(one)} in place {number} cannot be used (expected {_EXPECTED})")
        try:
            made.append(given_target("inputs", *parts))
        except InputError as error:
            failures.append(error)
    return made, failures


def given_target(function: str, name: str, text: str, structure: str | None = None) -> Target:
    """Target of a sequence; see `make_target`.

    Raises:
        InputError: as `make_target`; the name of a file is refused as such.
    """
    if not is_plain(text.splitlines()) and (os.path.exists(text) or _FILE_NAME.search(text)):
        reason = f"{quoted(text)} is the name of a file, not a sequence; sample_targets reads one that is given alone"
        raise InputError(function, name, reason)
    return make_target(function, name, text, structure)
