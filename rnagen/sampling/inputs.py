"""The targets of a run: sequences, FASTA files, tables, or the examples that ship with rnagen."""

from collections.abc import Sequence
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.target import Target, make_target
from rnagen.io.targets import read_targets

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples.fasta"


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
