"""Secondary structures that a user gives in files of their own: dot-bracket with or without the sequence, ct, bpseq."""

from dataclasses import replace
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.fasta import COMMENTS
from rnagen.io.folding import is_structure, split_folding
from rnagen.io.formats import stem
from rnagen.io.pair_matrix import refuse_other_sequence
from rnagen.io.records import Found, Record, read_lines
from rnagen.io.target import Target, make_target
from rnagen.io.targets import FORMATS

_FORMATS = "dot-bracket (with a header, a sequence, or neither), ct, bpseq, Stockholm with SS_cons"


def structure_records(path: Path) -> list[Found]:
    """The records of a file of secondary structures. One without a sequence is one line, below a header or alone.

    Raises:
        InputError: the file cannot be read, or has no known format.
    """
    lines = read_lines(path)
    content = [line for line in lines if line.strip() and not line.startswith(COMMENTS)]
    if content and not content[0].startswith(">") and is_structure(content[0]):
        return [Record(stem(path), *split_folding(content))]
    for recognises, reads in FORMATS.values():
        if recognises(lines):
            return list(reads(path, lines))
    raise InputError(path, None, f"has no known format of secondary structures; understood are {_FORMATS}")


def with_secondary_structure(target: Target, path: Path, found: Found) -> Target:
    """The target with the secondary structure of a record of a file.

    Raises:
        InputError: the record cannot be used, has no secondary structure, or is of another sequence or length.
    """
    if isinstance(found, InputError):
        raise found
    if found.secondary_structure is None:
        raise InputError(path, found.name, "has no secondary structure: write it in dot-bracket notation")
    if found.sequence:
        refuse_other_sequence(path, found.name, found.sequence, target.sequence)
    checked = make_target(path, target.name, target.sequence, found.secondary_structure)
    warnings = (*target.warnings, *found.warnings)
    replaced = target.secondary_structure
    if replaced is not None and replaced != checked.secondary_structure:
        warnings = (*warnings, f"the secondary structure of {path.name} replaces that beside the sequence")
    return replace(target, secondary_structure=checked.secondary_structure, warnings=warnings)
