"""Alignments of chains: which file belongs to which, and a cache of their pair features."""

import hashlib
from pathlib import Path

import numpy as np
import RNA

import rnagen.io.alignment
import rnagen.io.clustal
import rnagen.io.fasta
import rnagen.io.stockholm
import rnagen.secondary.coevolution
from rnagen.errors import InputError
from rnagen.io.alignment import read_alignment
from rnagen.io.arrays import NOT_ARRAYS
from rnagen.io.files import atomic_write, hash_files
from rnagen.secondary.coevolution import alignment_features
from rnagen.secondary.pairs import SparsePairs

SUFFIXES = (
    *(".gz", ".txt", ".a3m", ".fasta", ".fa", ".fas", ".afa"),
    *(".aln", ".clustal", ".sto", ".stk", ".stockholm", ".msa"),
)
"""What may stand behind the name of a file, in any order and case; other dots belong to the name."""


def find_alignments(folder: Path) -> dict[str, Path]:
    """Files of a folder by the name of their chain or target (see `alignment_name`): their own without `SUFFIXES`.

    Raises:
        InputError: the folder does not exist, or two files have one name.
    """
    if not folder.is_dir():
        raise InputError(folder, None, "no such folder of alignments")
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            name = alignment_name(_without_suffixes(file.name))
            if name in found:
                raise InputError(file, None, f"has the same name as {found[name].name}: remove one of them")
            found[name] = file
    return found


def alignment_name(name: str) -> str:
    """The name of a chain's alignment: the entry in lower case, the chain as it is; `/`, as in Rfam, is `_`."""
    entry, line, chain = name.replace("/", "_").partition("_")
    return entry.lower() + line + chain


def _without_suffixes(name: str) -> str:
    while suffix := next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), ""):
        name = name[: -len(suffix)]
    return name


_CODE = (
    rnagen.secondary.coevolution,
    *(rnagen.io.alignment, rnagen.io.clustal, rnagen.io.fasta, rnagen.io.stockholm),
)
"""Modules whose change outdates what is stored."""


class AlignmentCache:
    """Pair features of alignments on disk, one file each; safe to share between processes, because a file appears whole
    or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        code = hash_files([Path(str(module.__file__)) for module in _CODE])
        self.version = f"{RNA.__version__} {code}"

    def path(self, file: Path, sequence: str) -> Path:
        """File that holds, or will hold, the pair features of an alignment for a sequence."""
        key = f"{self.version} {hash_files([file])} {sequence}"
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"

    def get(self, file: Path, sequence: str) -> SparsePairs:
        """The pair features of an alignment whose query is the sequence, computed once.

        Raises:
            InputError: it cannot be read, or is of another sequence.
        """
        path = self.path(file, sequence)
        try:
            with np.load(path, allow_pickle=False) as stored:
                nothing = np.zeros(len(stored["pairs"]), dtype=np.float32)
                return SparsePairs(len(sequence), stored["pairs"], nothing, stored["pair_features"])
        except (FileNotFoundError, *NOT_ARRAYS):
            found = alignment_features(read_alignment(file, sequence))
        with atomic_write(path) as written:
            np.savez(written, pairs=found.pairs, pair_features=found.pair_features)
        return found
