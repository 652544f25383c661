"""Which files of the inputs go into a dataset."""

import json
from dataclasses import dataclass
from pathlib import Path

from rnagen.errors import InputError
from rnagen.io.formats import STRUCTURE_SUFFIXES, find_table, is_labels_table, is_structure_file, sequences_beside

METADATA_NAME = "index.csv"


@dataclass(frozen=True)
class Source:
    """One file to read chains from."""

    path: Path
    label: str
    """Its name in tables: relative to the input it was found in."""
    sequences: Path | None = None
    """For a Kaggle labels table, the sequences table beside it."""

    @property
    def is_table(self) -> bool:
        """Whether this is a Kaggle labels table, else a structure file."""
        return is_labels_table(self.path)

    def signature(self) -> str:
        """Text that changes when a file is replaced: place, size and time of change."""
        return json.dumps([file_signature(path) for path in (self.path, self.sequences) if path is not None])


@dataclass(frozen=True)
class Sources:
    """The files of the inputs: those that are read, and the others."""

    used: list[Source]
    others: list[Path]
    """Files in the folders that are neither structures nor tables of labels, sequences or metadata."""


def file_signature(path: Path) -> list[str | int]:
    """Place, size in bytes and time of change of a file."""
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def find_sources(inputs: list[Path]) -> Sources:
    """The files of the inputs, in the order given and sorted by name within a folder.

    - A structure file (mmCIF or PDB, also gzipped) or a Kaggle table `*_labels.csv` is used as it is.
    - A folder with a folder `structures` or `kaggle` inside is a collection: only these two are used.
    - In any other folder, all structure files and tables are used, in its subfolders too.

    Raises:
        InputError: an input does not exist, is of an unknown kind, or contains nothing usable.
    """
    sources: list[Source] = []
    others: list[Path] = []
    for path in inputs:
        found = _in_folder(path) if path.is_dir() else Sources([_of_file(path, path.name)], [])
        if not found.used:
            kinds = ", ".join(STRUCTURE_SUFFIXES)
            raise InputError(str(path), None, f"contains no structure file ({kinds}) and no *_labels.csv")
        sources += found.used
        others += found.others
    seen = {source.path.resolve(): source for source in reversed(sources)}
    return Sources([source for source in sources if seen[source.path.resolve()] is source], others)


def find_metadata(inputs: list[Path]) -> list[Path]:
    """Metadata tables `index.csv` (in any case, gzipped or not) inside the input folders or beside the inputs, each
    once."""
    found: list[Path] = []
    for path in inputs:
        places = (path, path.parent) if path.is_dir() else (path.parent,)
        found += [table for place in places if (table := find_table(place, METADATA_NAME)) is not None][:1]
    return list(dict.fromkeys(found))


def _in_folder(folder: Path) -> Sources:
    parts = [folder / name for name in ("structures", "kaggle") if (folder / name).is_dir()] or [folder]
    files = [file for part in parts for file in sorted(part.rglob("*")) if file.is_file() and file.name[0] != "."]
    used = [_of_file(file, file.relative_to(folder).as_posix()) for file in files if _is_known(file)]
    known = {file.path for file in used} | {file.sequences for file in used}
    beside = ("_sequences.csv", METADATA_NAME)
    others = [file for file in files if file not in known]
    return Sources(used, [file for file in others if not file.name.lower().removesuffix(".gz").endswith(beside)])


def _is_known(path: Path) -> bool:
    return is_structure_file(path) or is_labels_table(path)


def _of_file(path: Path, label: str) -> Source:
    if not path.is_file():
        raise InputError(str(path), None, "does not exist")
    if not _is_known(path):
        kinds = ", ".join((*STRUCTURE_SUFFIXES, "*_labels.csv"))
        raise InputError(str(path), None, f"is of an unknown kind (known: {kinds}, also as .gz)")
    return Source(path, label, sequences_beside(path) if is_labels_table(path) else None)
