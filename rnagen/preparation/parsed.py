"""Read one source file into chains, once: the result, or the reason for refusing it, stays on disk until the file
changes."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

import rnagen.io
import rnagen.preparation.quality as quality_module
from rnagen.data.chains import ChainInfo
from rnagen.errors import InputError
from rnagen.io.files import atomic_write, hash_files
from rnagen.io.kaggle import read_labels, read_sequences
from rnagen.io.read import read_structures
from rnagen.preparation.metadata import chain_id
from rnagen.preparation.sources import Source
from rnagen.structure import HEAVY_ATOMS, RNAStructure

BENCHMARK_OF_TABLES = "casp15"
"""Benchmark of the targets of Kaggle tables with several references per target, which are validation tables."""


@dataclass(frozen=True)
class ParsedChain:
    """One chain of a source file, without its coordinates."""

    info: ChainInfo
    sequence: str
    num_models: int


@dataclass(frozen=True)
class ParsedSource:
    """What a source file holds."""

    chains: tuple[ParsedChain, ...]
    refusal: str = ""
    """Why the file was refused; empty when it was read."""


def reader_version() -> str:
    """Hash of the code that reads files, so that a better reader reads them again."""
    files = [*Path(rnagen.io.__file__).parent.glob("*.py"), Path(quality_module.__file__), Path(__file__)]
    return f"{version('gemmi')} {hash_files(sorted(files))}"


class ParsedCache:
    """Parsed sources in a folder, one file each."""

    def __init__(self, folder: Path, reader_version: str) -> None:
        self.folder = folder
        self.reader_version = reader_version

    def path(self, source: Source) -> Path:
        """File that holds, or will hold, the chains of this source."""
        key = hashlib.sha256(f"{self.reader_version} {source.signature()}".encode()).hexdigest()
        return self.folder / f"{key[:32]}.npz"

    def load(self, source: Source) -> ParsedSource | None:
        """The stored result without its coordinates; None where the file is missing or damaged."""
        try:
            with np.load(self.path(source), allow_pickle=False) as stored:
                header = json.loads(str(stored["header"]))
            chains = [ParsedChain(**chain | {"info": ChainInfo(**chain["info"])}) for chain in header["chains"]]
            return ParsedSource(tuple(chains), header["refusal"])
        except (FileNotFoundError, BadZipFile, KeyError, ValueError, EOFError):
            return None

    def get(self, source: Source) -> ParsedSource:
        """The result of reading a source, read now if it never was."""
        parsed = self.load(source)
        if parsed is None:
            structures: list[RNAStructure] = []
            try:
                structures = _read(source)
                parsed = ParsedSource(tuple(_describe(structure, source) for structure in structures))
            except InputError as error:
                parsed = ParsedSource((), ": ".join(part for part in (error.record, error.reason) if part))
            _save(self.path(source), parsed, structures)
        return parsed

    def structure(self, source: Source, position: int) -> RNAStructure:
        """A chain of a source that was read before, with coordinates, by its position in `ParsedSource.chains`."""
        return _load_structures(self.path(source))[position].select_atoms(HEAVY_ATOMS)


def _read(source: Source) -> list[RNAStructure]:
    if not source.is_table:
        return read_structures(source.path)
    known = {record.name: record for record in read_sequences(source.sequences)} if source.sequences else {}
    structures = read_labels(source.path)
    return [
        replace(s, release_date=known[s.name].temporal_cutoff, title=known[s.name].description)
        if s.name in known
        else s
        for s in structures
    ]


def _describe(structure: RNAStructure, source: Source) -> ParsedChain:
    is_benchmark = source.is_table and _has_references(source.path)
    info = ChainInfo(
        name=chain_id(structure.entry or structure.name, structure.chain),
        entry=structure.entry.lower() if structure.chain else structure.entry,
        chain=structure.chain,
        kind="c1" if source.is_table else "full",
        release_date=structure.release_date,
        method=structure.method,
        resolution=structure.resolution,
        title=structure.title,
        benchmark=BENCHMARK_OF_TABLES if is_benchmark else "",
        target=is_benchmark,
    )
    return ParsedChain(quality_module.with_quality(info, structure), structure.sequence, structure.num_models)


def _has_references(table: Path) -> bool:
    """Whether a Kaggle labels table has room for several references of a target."""
    with open(table, encoding="utf-8") as file:
        return "x_2" in file.readline().split(",")


def _save(path: Path, parsed: ParsedSource, structures: list[RNAStructure]) -> None:
    arrays: dict[str, np.ndarray] = {"header": np.array(json.dumps(asdict(parsed)))}
    for k, structure in enumerate(structures):
        # With all 27 atoms, a table of C1' alone would grow 27 times.
        atoms = tuple(a for i, a in enumerate(structure.atoms) if structure.mask[:, :, i].any())
        small = structure.select_atoms(atoms)
        arrays |= {
            f"atoms_{k}": np.array(atoms, dtype=np.str_),
            f"coords_{k}": small.coords,
            f"mask_{k}": small.mask,
            f"residue_index_{k}": small.residue_index,
        }
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


@lru_cache(maxsize=4)
def _load_structures(path: Path) -> list[RNAStructure]:
    # The last few only: chains of one table are read in between those of other files.
    with np.load(path, allow_pickle=False) as stored:
        chains = json.loads(str(stored["header"]))["chains"]
        return [
            RNAStructure(
                name=chain["info"]["name"],
                sequence=chain["sequence"],
                coords=stored[f"coords_{k}"],
                mask=stored[f"mask_{k}"],
                atoms=tuple(str(atom) for atom in stored[f"atoms_{k}"]),
                residue_index=stored[f"residue_index_{k}"],
            )
            for k, chain in enumerate(chains)
        ]
