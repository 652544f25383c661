"""Structure files and Kaggle tables -> one dataset folder (see `rnagen.data.dataset`), resumable at any moment.

out/chains.safetensors   the dataset
out/skipped.csv          files and chains that could not be used, and why
out/duplicates.csv       chains that came twice, and which copy was used
out/renamed.csv          chains whose id another RNA has too, and their id in the dataset
out/work                 what makes the next run quick: downloads, parsed files, secondary structures, the state of the
                         last run. It can be deleted.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import RNA

import rnagen.secondary.alignments as alignments_module
from rnagen.data import dataset as format_module
from rnagen.data.dataset import FILE, FORMER, Dataset, write_dataset
from rnagen.errors import InputError
from rnagen.features import Chain
from rnagen.io import alignment
from rnagen.io.files import LOCK, atomic_write, hash_files, lock_folder
from rnagen.io.temporary import TEMPORARY
from rnagen.parallel import parallel_map
from rnagen.preparation import chains as chains_module
from rnagen.preparation import choice, clusters, metadata
from rnagen.preparation import gather as gather_module
from rnagen.preparation.chains import as_chain
from rnagen.preparation.choice import Chosen
from rnagen.preparation.gather import Gathered, Inputs, gather
from rnagen.preparation.metadata import ChainMetadata
from rnagen.preparation.parsed import reader_version
from rnagen.preparation.report import PrepareReport, Skip
from rnagen.preparation.sources import file_signature
from rnagen.secondary import coevolution, native, pairs, vienna
from rnagen.secondary.alignments import AlignmentCache, alignment_name, find_alignments
from rnagen.secondary.pairs import SparsePairs
from rnagen.secondary.vienna import SecondaryStructureCache
from rnagen.structure import HEAVY_ATOMS

WORK = "work"
STATE = "state.json"


def prepare(
    inputs: list[Path],
    out: Path,
    metadata_table: Path | None = None,
    workers: int = 1,
    only: dict[str, ChainMetadata] | None = None,
    assume_date: str = "",
    alignments: Path | None = None,
) -> PrepareReport:
    """Make or update the dataset folder `out`. Inputs are only read.

    Args:
        inputs: folders, structure files and Kaggle tables; see `find_sources` for which files of a folder are used.
        out: a new or empty folder, or a dataset made earlier; work that is still valid is reused.
        metadata_table: dates, clusters and benchmarks; without it, each `index.csv` inside or beside an input.
        workers: processes. The result does not depend on their number.
        only: use these chains alone, and prefer these facts about them.
        assume_date: release date of chains for which neither metadata nor file has one.
        alignments: folder of alignments, named by chain; one of another sequence is listed among the skipped files.

    Raises:
        InputError: an input or the metadata cannot be used, `out` holds something else, or no chain is left.
        ConfigError: another process prepares the same folder.
    """
    refuse_foreign(out)
    found = Inputs.find(inputs, metadata_table, only, assume_date)
    aligned = {} if alignments is None else find_alignments(alignments)
    signature = _signature(found, sorted(aligned.values()))
    with lock_folder(out):
        previous = _finished(out, signature)
        if previous is not None:
            return previous

        work = out / WORK
        work.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(out)
        structure_cache = SecondaryStructureCache(work / "structures")
        gathered = gather(found, work / "parsed", workers)
        chosen, infos, report = gathered.chosen, gathered.infos, gathered.report
        _predict({one.parsed.sequence for one in chosen}, structure_cache, workers)
        pair_features = _align(chosen, aligned, AlignmentCache(work / "alignments"), workers, report)
        contents = _contents(gathered, structure_cache, pair_features)
        report.fingerprint = write_dataset(out / FILE, HEAVY_ATOMS, infos, contents, RNA.__version__)
        report.chains, report.full_atom = len(infos), sum(info.kind == "full" for info in infos)
        report.write_tables(out)
        _remove_unused(gathered.parsed.folder, gathered.files)
        with atomic_write(work / STATE) as file:
            file.write(json.dumps({"signature": signature, "report": asdict(report)}).encode())
        return report


def refuse_foreign(out: Path) -> None:
    """Refuse a folder that `rnagen prepare` did not make.

    Raises:
        InputError: it is a file, or holds something else.
    """
    if out.exists() and not out.is_dir():
        raise InputError(out, None, "is a file, not a folder to write a dataset to")
    others = [path.name for path in out.iterdir() if path.name != LOCK] if out.is_dir() else []
    if others and not any((out / name).exists() for name in (WORK, FILE, *FORMER)):
        raise InputError(out, None, f"holds something else ({min(others)}); name a new folder")


def _signature(inputs: Inputs, alignments: list[Path]) -> str:
    """A hash that changes when the result could: inputs, metadata, code and versions."""
    modules = [alignment, alignments_module, chains_module, choice, clusters, coevolution, format_module, gather_module]
    modules += [metadata, native, pairs, vienna]
    code = hash_files([Path(str(module.__file__)) for module in modules] + [Path(__file__)])
    files = [[file_signature(file) for file in some] for some in (inputs.tables, alignments)]
    facts = [[s.label, s.signature()] for s in inputs.found.used], files
    everything = [facts, repr(inputs.only), inputs.assume_date, reader_version(), code, RNA.__version__]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def _finished(out: Path, signature: str) -> PrepareReport | None:
    """Report of the last run, if it had the same signature and its dataset is still there."""
    try:
        state = json.loads((out / WORK / STATE).read_text())
        fingerprint = Dataset.open(out).fingerprint
    except (FileNotFoundError, ValueError):  # no state, half a state, no dataset
        return None
    report = state["report"]
    if state["signature"] != signature or report["fingerprint"] != fingerprint:
        return None
    return PrepareReport.from_dict(report | {"up_to_date": True})


def _predict(sequences: set[str], cache: SecondaryStructureCache, workers: int) -> None:
    missing = sorted((s for s in sequences if not cache.path(s).is_file()), key=lambda s: (-len(s), s))
    for _ in parallel_map(cache.get, missing, workers, "Predicting base pairs"):
        pass


def _align(
    chosen: list[Chosen], files: dict[str, Path], cache: AlignmentCache, workers: int, report: PrepareReport
) -> dict[str, SparsePairs]:
    """Pair features of the chains that have an alignment, by name."""
    named = [(one.parsed.info.name, one.parsed.sequence) for one in chosen]
    wanted = [(name, files[key], seq) for name, seq in named if (key := alignment_name(name)) in files]
    pair_features = {}
    for (name, file, _), found in parallel_map(partial(_align_one, cache), wanted, workers, "Reading alignments"):
        if isinstance(found, str):
            report.skipped.append(Skip(file.name, name, f"its alignment: {found}"))
        else:
            pair_features[name] = found
    report.skipped.sort(key=lambda skip: (skip.file, skip.chain))
    return pair_features


def _align_one(cache: AlignmentCache, wanted: tuple[str, Path, str]) -> SparsePairs | str:
    """Pair features of the alignment of a chain, or the reason why it cannot be used."""
    _, file, sequence = wanted
    try:
        return cache.get(file, sequence)
    except InputError as error:
        return error.reason


def _contents(
    gathered: Gathered, structure_cache: SecondaryStructureCache, pair_features: dict[str, SparsePairs]
) -> Iterator[Chain]:
    for one, structure in zip(gathered.chosen, gathered.structures()):
        yield as_chain(structure, structure_cache.get(one.parsed.sequence), pair_features.get(one.parsed.info.name))


def _remove_unused(folder: Path, used: set[Path]) -> None:
    """Remove parsed files that no source needs any more; what else lies there is not of rnagen."""
    for path in folder.glob("*.npz"):
        if path not in used:
            path.unlink()


def _remove_leftovers(out: Path) -> None:
    """Remove what a killed run was writing, and the files of a dataset of a former format."""
    leftovers = [*out.rglob(f".*{TEMPORARY}"), *out.glob("*.npy"), *(out / name for name in FORMER)]
    for path in leftovers:
        path.unlink(missing_ok=True)
