"""Which files of the inputs go into a dataset."""

import json
from dataclasses import dataclass
from pathlib import Path

from rnagen.errors import InputError

STRUCTURE_SUFFIXES = (".cif", ".mmcif", ".pdb", ".ent")
LABELS_SUFFIX = "_labels.csv"
SEQUENCES_SUFFIX = "_sequences.csv"
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
        return self.path.name.endswith(".csv")

    def signature(self) -> str:
        """Text that changes when a file is replaced: place, size and time of change."""
        return json.dumps([file_signature(path) for path in (self.path, self.sequences) if path is not None])


def file_signature(path: Path) -> list[str | int]:
    """Place, size in bytes and time of change of a file."""
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def find_sources(inputs: list[Path]) -> list[Source]:
    """The files of the inputs, in the order given and sorted by name within a folder.

    - A structure file (mmCIF or PDB, also gzipped) or a Kaggle table `*_labels.csv` is used as it is.
    - A folder with a folder `structures` or `kaggle` inside is a collection: only these two are used.
    - In any other folder, all structure files and tables are used, in its subfolders too.

    Raises:
        InputError: an input does not exist, is of an unknown kind, or contains nothing usable.
    """
    sources: list[Source] = []
    for path in inputs:
        found = _in_folder(path) if path.is_dir() else [_of_file(path, path.name)]
        if not found:
            raise InputError(str(path), None, f"contains no structure file and no *{LABELS_SUFFIX}")
        sources += found
    seen = {source.path.resolve(): source for source in reversed(sources)}
    return [source for source in sources if seen[source.path.resolve()] is source]


def find_metadata(inputs: list[Path]) -> list[Path]:
    """Metadata tables `index.csv` inside the input folders or beside the inputs, each once."""
    found: list[Path] = []
    for path in inputs:
        places = (path, path.parent) if path.is_dir() else (path.parent,)
        found += [place / METADATA_NAME for place in places if (place / METADATA_NAME).is_file()][:1]
    return list(dict.fromkeys(found))


def _in_folder(folder: Path) -> list[Source]:
    parts = [folder / name for name in ("structures", "kaggle") if (folder / name).is_dir()] or [folder]
    files = [file for part in parts for file in sorted(part.rglob("*")) if file.is_file() and _is_known(file)]
    return [_of_file(file, file.relative_to(folder).as_posix()) for file in files]


def _is_known(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return name.endswith(STRUCTURE_SUFFIXES) or path.name.endswith(LABELS_SUFFIX)


def _of_file(path: Path, label: str) -> Source:
    if not path.is_file():
        raise InputError(str(path), None, "does not exist")
    if not _is_known(path):
        kinds = ", ".join((*STRUCTURE_SUFFIXES, f"*{LABELS_SUFFIX}"))
        raise InputError(str(path), None, f"is of an unknown kind (known: {kinds}; structures also as .gz)")
    if not path.name.endswith(LABELS_SUFFIX):
        return Source(path, label)
    beside = path.with_name(path.name.removesuffix(LABELS_SUFFIX) + SEQUENCES_SUFFIX)
    return Source(path, label, beside if beside.is_file() else None)
