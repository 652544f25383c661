"""Read one source file into chains, once: the result, or the reason for refusing it, stays on disk until the file
changes."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

import rnagen.io
import rnagen.preparation.quality as quality_module
from rnagen.data.chains import ChainInfo
from rnagen.dates import NO_DATE, parse_optional_date
from rnagen.errors import MAXIMUM_REASON, InputError
from rnagen.io.arrays import NOT_ARRAYS
from rnagen.io.files import atomic_write, hash_files
from rnagen.io.kaggle import SequenceRecord, read_sequences
from rnagen.io.labels import read_labels_table
from rnagen.io.read import read_structure_file
from rnagen.io.residues import clean_sequence
from rnagen.messages import one_line
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
    out_of_range: float
    """Share of its bonds; see `rnagen.preparation.quality.bonds_out_of_range`."""


@dataclass(frozen=True)
class ParsedSource:
    """What a source file holds."""

    chains: tuple[ParsedChain, ...]
    refusal: str = ""
    """Why the file was refused; empty when it was read."""
    failures: tuple[tuple[str, str], ...] = ()
    """Chains or targets that cannot be used, each with the reason."""
    notes: tuple[str, ...] = ()
    """What was read otherwise than it stands in the file."""


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
            failures = tuple((record, reason) for record, reason in header["failures"])
            return ParsedSource(tuple(chains), header["refusal"], failures, tuple(header["notes"]))
        except (FileNotFoundError, *NOT_ARRAYS):
            return None

    def get(self, source: Source) -> ParsedSource:
        """The result of reading a source, read now if it never was."""
        parsed = self.load(source)
        if parsed is None:
            structures: list[RNAStructure] = []
            try:
                contents = _read(source)
                structures = contents.structures
                chains = tuple(_describe(structure, source, contents.has_references) for structure in structures)
                failures = tuple((error.record or "", error.reason) for error in contents.failures)
                parsed = ParsedSource(chains, failures=failures, notes=tuple(contents.notes))
            except InputError as error:
                file = "" if error.file == str(source.path) else Path(error.file).name
                parsed = ParsedSource((), ": ".join(part for part in (file, error.record, error.reason) if part))
            except Exception as error:
                # The last resort: a file that no reader was made for is a row of skipped.csv, not the end of the run.
                structures = []
                parsed = ParsedSource(
                    (), one_line(f"the reader failed: {type(error).__name__}: {error}", MAXIMUM_REASON)
                )
            _save(self.path(source), parsed, structures)
        return parsed

    def structure(self, source: Source, position: int) -> RNAStructure:
        """A chain of a source that was read before, with coordinates, by its position in `ParsedSource.chains`."""
        return _load_structures(self.path(source))[position].select_atoms(HEAVY_ATOMS)


@dataclass(frozen=True)
class _Contents:
    """What a reader found in a file."""

    structures: list[RNAStructure]
    failures: list[InputError]
    notes: list[str]
    has_references: bool = False
    """Whether it is a table with room for several conformers of a target."""


def _read(source: Source) -> _Contents:
    if not source.is_table:
        found = read_structure_file(source.path)
        return _Contents(found.chains, found.failures, found.notes)
    table = read_labels_table(source.path, by_chain=True)
    if source.sequences is None:
        return _Contents(table.structures, table.failures, [], table.has_references)
    known: dict[str, list[SequenceRecord]] = {}
    for record in read_sequences(source.sequences):
        known.setdefault(record.name, []).append(record)
    structures, failures = [], table.failures
    for structure in table.structures:
        target = structure.name if structure.name in known else structure.name.rpartition("_")[0]
        try:
            structures.append(_with_facts(structure, known.get(target, [])))
        except ValueError as error:
            failures.append(InputError(source.path, structure.name, f"{source.sequences.name}: {error}"))
    return _Contents(structures, failures, [], table.has_references)


def _with_facts(structure: RNAStructure, records: list[SequenceRecord]) -> RNAStructure:
    """The structure with what the table of sequences knows about it.

    Raises:
        ValueError: the rows contradict it or each other, or cannot be used.
    """
    dates = set()
    for record in records:
        if record.fault:
            raise ValueError(record.fault)
        try:
            dates.add(parse_optional_date(record.temporal_cutoff))
        except ValueError as error:
            raise ValueError(f"temporal_cutoff: {error}") from None
        if not is_part(structure.sequence, clean_sequence(record.sequence)[0]):
            raise ValueError("its sequence there is another than that of the labels")
    if len(dates - {NO_DATE}) > 1:
        raise ValueError(f"two rows with the temporal_cutoff {' and '.join(sorted(dates - {NO_DATE}))}")
    if not records:
        return structure
    return replace(structure, release_date=max(dates), title=records[0].description)


def is_part(sequence: str, whole: str) -> bool:
    """Whether a sequence is another without some of its residues; N fits any base."""
    rest = iter(whole)
    return all(any(base == other or "N" in (base, other) for other in rest) for base in sequence)


def _describe(structure: RNAStructure, source: Source, is_benchmark: bool) -> ParsedChain:
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
    return ParsedChain(
        quality_module.with_quality(info, structure),
        structure.sequence,
        structure.num_models,
        quality_module.bonds_out_of_range(structure),
    )


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
