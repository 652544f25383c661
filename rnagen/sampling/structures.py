"""Secondary structures and base-pair probabilities that the option `structure` gives: a text, a file, or a folder."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rnagen.errors import ConfigError, InputError
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.io.files import read_bytes
from rnagen.io.folders import safe_name
from rnagen.io.formats import stem, visible_files
from rnagen.io.pair_matrix import is_pair_matrix, read_pair_matrix
from rnagen.io.records import Found
from rnagen.io.structure_file import structure_records, with_secondary_structure
from rnagen.io.target import Target
from rnagen.messages import number_of, one_line

_BRACKETS = re.compile(r"[.?()\[\]{}<>\-]+")
_FILE_NAME = re.compile(r"[\\/]|\.\w*[A-Za-z]\w*$")
_DOT_PLOT = "_dp"
"""What ViennaRNA adds to the name of an RNA in that of its dot plot."""


@dataclass(frozen=True)
class WithStructures:
    """Targets with what the option gives for them."""

    targets: list[Target]
    conditioned: frozenset[str] = frozenset()
    """Names of those that got a secondary structure."""
    matrices: frozenset[str] = frozenset()
    """Names of those that got base-pair probabilities."""
    failures: list[InputError] = field(default_factory=list)
    """An error for each target that cannot be sampled with what is given for it."""


def named_structure(given: str | None) -> Path | None:
    """The file or folder that the option names; None where it is dot-bracket notation itself, or absent. What is
    brackets and dots alone is notation, whatever files there are.

    Raises:
        InputError: it is the name of a file that does not exist.
    """
    if given is None or _BRACKETS.fullmatch(given):
        return None
    if os.path.exists(given):
        return Path(given)
    try:
        parse_dot_bracket(given)
    except ValueError:
        if _FILE_NAME.search(given):
            raise InputError(given, None, "no such file or folder, and not dot-bracket notation") from None
    return None


def with_structures(targets: Sequence[Target], place: Path, owner: str | None) -> WithStructures:
    """The targets, each with the secondary structure or the base-pair probabilities that a file or folder has for it.

    In a folder, a file belongs to the target of its name. A file of several records has those of several targets, by
    name; one of a single RNA belongs to the owner, or to the only target.

    Args:
        targets: all of a run.
        place: file or folder.
        owner: name of the target that a single structure is meant for.

    Raises:
        ConfigError: a single structure for several targets.
        InputError: the file or folder cannot be read.
    """
    if not place.is_dir():
        return _from_file(targets, place, owner)
    files = visible_files(place)
    if not files:
        raise InputError(place, None, "no file in this folder")
    by_name: dict[str, list[Path]] = {}
    for file in files:
        by_name.setdefault(stem(file), []).append(file)
        if stem(file).endswith(_DOT_PLOT):
            by_name.setdefault(stem(file).removesuffix(_DOT_PLOT), []).append(file)
    found: dict[str, tuple[Path, Found | None]] = {}
    failures: dict[str, InputError] = {}
    for target in targets:
        own = by_name.get(target.name) or by_name.get(safe_name(target.name)) or []
        if len(own) > 1:
            reason = f"{own[0].name} and {own[1].name} both have its name: remove one"
            failures[target.name] = InputError(place, target.name, reason)
        elif own:
            try:
                found[target.name] = own[0], _record_of(own[0], target.name)
            except InputError as error:
                failures[target.name] = error
    if not found and not failures:
        reason = f"{number_of(len(files), 'file')}, as {files[0].name}, and the name of none is that of an RNA"
        raise InputError(place, None, f"{reason}, as {one_line(targets[0].name, 60)}: rename them")
    return _joined(targets, found, failures)


def _from_file(targets: Sequence[Target], path: Path, owner: str | None) -> WithStructures:
    records = _records(path)
    if records is None or len(records) == 1:
        if owner is None and len(targets) != 1:
            raise ConfigError(
                f"structure: {path} has one structure, and there are {len(targets)} RNAs: give a folder with a file "
                "for each, named by target"
            )
        record = None if records is None else records[0]
        return _joined(targets, {owner or targets[0].name: (path, record)}, {})
    by_name = {_name(record): record for record in reversed(records)}
    named = [target.name for target in targets if target.name in by_name]
    found: dict[str, tuple[Path, Found | None]] = {name: (path, by_name[name]) for name in named}
    if not found:
        raise InputError(path, None, f"has {len(records)} records, and the name of none is that of an RNA")
    return _joined(targets, found, {})


def _records(path: Path) -> list[Found] | None:
    """The records of a file; None where it holds base-pair probabilities."""
    return None if is_pair_matrix(read_bytes(path)[:8]) else structure_records(path)


def _record_of(path: Path, name: str) -> Found | None:
    """The record of a target in the file that is named after it; None where that holds base-pair probabilities."""
    records = _records(path)
    if records is None or len(records) == 1:
        return None if records is None else records[0]
    found = next((record for record in records if _name(record) == name), None)
    if found is None:
        raise InputError(path, name, f"no record of this name among {len(records)}: leave one, or name it so")
    return found


def _name(found: Found) -> str | None:
    return found.record if isinstance(found, InputError) else found.name


def _joined(
    targets: Sequence[Target], found: dict[str, tuple[Path, Found | None]], failures: dict[str, InputError]
) -> WithStructures:
    """The targets with what was found for them, and those for which nothing was found as they are."""
    failures = dict(failures)
    good, conditioned, matrices = [], set[str](), set[str]()
    for target in targets:
        if target.name not in found:
            if target.name not in failures:
                good.append(target)
            continue
        path, record = found[target.name]
        try:
            if record is None:
                matrix = read_pair_matrix(path, target.sequence)
                warnings = (*target.warnings, *filter(None, [matrix.warning]))
                good.append(replace(target, pair_matrix=matrix, warnings=warnings))
                matrices.add(target.name)
            else:
                good.append(with_secondary_structure(target, path, record))
                conditioned.add(target.name)
        except InputError as error:
            failures[target.name] = error
    return WithStructures(good, frozenset(conditioned), frozenset(matrices), list(failures.values()))
