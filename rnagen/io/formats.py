"""Which files hold structures and labels, by their names: one list for every command, blind to case."""

import re
from collections.abc import Iterable
from pathlib import Path

from rnagen.messages import number_of

STRUCTURE_SUFFIXES = (".cif", ".mmcif", ".pdbx", ".bcif", ".pdb", ".ent", ".pdb1")
"""Suffixes of structure files, each also with .gz; .pdb1, .pdb2, … are biological assemblies."""

_STRUCTURE = re.compile(r"\.(?:cif|mmcif|pdbx|bcif|ent|pdb\d*)(?:\.gz)?$", re.IGNORECASE)
_LABELS = re.compile(r"_labels(?P<version>\.v\d+)?\.csv(?P<gz>\.gz)?$", re.IGNORECASE)


def is_structure_file(path: Path) -> bool:
    """Whether a file is named as a structure."""
    return _STRUCTURE.search(path.name) is not None


def is_labels_table(path: Path) -> bool:
    """Whether a file is named as a table of labels: `*_labels.csv`, as in train_labels.csv and train_labels.v2.csv."""
    return _LABELS.search(path.name) is not None


def sequences_beside(labels: Path) -> Path | None:
    """The table `*_sequences.csv` beside a table `*_labels.csv`, if it is there."""
    name = re.sub("labels", "sequences", labels.name, flags=re.IGNORECASE)
    return None if name == labels.name else find_table(labels.parent, name)


def find_table(folder: Path, name: str) -> Path | None:
    """The file of this name in a folder, in any case, gzipped or not; the exact name first."""

    def plain(name: str) -> str:
        return name.lower().removesuffix(".gz")

    found = [file for file in visible_files(folder) if plain(file.name) == plain(name)]
    return min(found, key=lambda file: (file.name != name, file.name), default=None)


def structure_files(folder: Path) -> list[Path]:
    """The structure files of a folder, not of its subfolders, sorted by name."""
    return [file for file in visible_files(folder) if is_structure_file(file)]


def visible_files(folder: Path) -> list[Path]:
    """The files of a folder, not of its subfolders, sorted by name, without dot files."""
    return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))


def left_out(files: Iterable[Path]) -> str:
    """A line that counts files that were not read and names the first few; empty for none."""
    names = sorted(file.name for file in files)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    what = "which is not a structure" if len(names) == 1 else "which are not structures"
    return f"{number_of(len(names), 'file')} left out, {what}: {', '.join(names[:5])}{more}" if names else ""


def stem(path: Path) -> str:
    """File name without `.gz` and the format's suffix: `1ehz_A.cif.gz` -> `1ehz_A`."""
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return name.rsplit(".", 1)[0] if "." in name else name
