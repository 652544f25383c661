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
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import RNA

import rnagen.secondary.alignments as alignments_module
from rnagen.data import dataset as format_module
from rnagen.data.chains import ChainInfo
from rnagen.data.dataset import FILE, FORMER, Dataset, write_dataset
from rnagen.errors import InputError
from rnagen.features import Chain
from rnagen.io import alignment
from rnagen.io.files import LOCK, TEMPORARY, atomic_write, hash_files, lock_folder
from rnagen.io.formats import left_out
from rnagen.parallel import parallel_map
from rnagen.preparation import chains as chains_module
from rnagen.preparation import choice, clusters, metadata
from rnagen.preparation.chains import as_chain
from rnagen.preparation.choice import Chosen, choose_chains, with_facts
from rnagen.preparation.metadata import ChainMetadata, read_metadata
from rnagen.preparation.parsed import ParsedCache, ParsedSource, reader_version
from rnagen.preparation.report import PrepareReport, Skip
from rnagen.preparation.sources import Source, file_signature, find_metadata, find_sources
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
    found = find_sources(inputs)
    sources = found.used
    tables = [metadata_table] if metadata_table is not None else find_metadata(inputs)
    known = {**read_metadata(tables), **(only or {})}
    aligned = {} if alignments is None else find_alignments(alignments)
    signature = _signature(sources, tables, only, assume_date, sorted(aligned.values()))
    with lock_folder(out):
        previous = _finished(out, signature)
        if previous is not None:
            return previous

        work = out / WORK
        work.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(out)
        parsed_cache = ParsedCache(work / "parsed", reader_version())
        structure_cache = SecondaryStructureCache(work / "structures")
        parsed = _parse(sources, parsed_cache, workers)
        report = PrepareReport(
            files=len(sources),
            metadata=[str(path) for path in tables],
            notes=[f"{source.label}: {note}" for source in sources for note in parsed[source].notes],
            others=left_out(found.others),
        )
        chosen = choose_chains(sources, parsed, report, only, known)
        if not chosen:
            _refuse_empty(inputs, report)
        _predict({one.parsed.sequence for one in chosen}, structure_cache, workers)
        pair_features = _align(chosen, aligned, AlignmentCache(work / "alignments"), workers, report)
        infos = _with_clusters(chosen, [with_facts(one, known, assume_date) for one in chosen], known)
        contents = _contents(chosen, parsed_cache, structure_cache, pair_features)
        report.fingerprint = write_dataset(out / FILE, HEAVY_ATOMS, infos, contents, RNA.__version__)
        report.chains, report.full_atom = len(infos), sum(info.kind == "full" for info in infos)
        report.write_tables(out)
        _remove_unused(parsed_cache.folder, {parsed_cache.path(source) for source in sources})
        with atomic_write(work / STATE) as file:
            file.write(json.dumps({"signature": signature, "report": asdict(report)}).encode())
        return report


def _refuse_empty(inputs: list[Path], report: PrepareReport) -> NoReturn:
    first = report.skipped[0] if report.skipped else Skip(", ".join(map(str, inputs)), "", "the files contain none")
    more = f" (and {len(report.skipped) - 1} more)" if len(report.skipped) > 1 else ""
    raise InputError(first.file, first.chain or None, f"no usable RNA chain: {first.reason}{more}")


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


def _signature(
    sources: list[Source],
    tables: list[Path],
    only: dict[str, ChainMetadata] | None,
    assume_date: str,
    alignments: list[Path],
) -> str:
    """A hash that changes when the result could: inputs, metadata, code and versions."""
    modules = [alignment, alignments_module, chains_module, choice, clusters, coevolution, format_module, metadata]
    modules += [native, pairs, vienna]
    code = hash_files([Path(str(module.__file__)) for module in modules] + [Path(__file__)])
    files = [[file_signature(file) for file in some] for some in (tables, alignments)]
    facts = [[s.label, s.signature()] for s in sources], files
    everything = [facts, repr(only), assume_date, reader_version(), code, RNA.__version__]
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


def _parse(sources: list[Source], cache: ParsedCache, workers: int) -> dict[Source, ParsedSource]:
    parsed = {source: found for source in sources if (found := cache.load(source)) is not None}
    missing = [source for source in sources if source not in parsed]
    missing.sort(key=lambda source: -source.path.stat().st_size)
    parsed.update(parallel_map(cache.get, missing, workers, "Reading structures"))
    return parsed


def _predict(sequences: set[str], cache: SecondaryStructureCache, workers: int) -> None:
    missing = sorted((s for s in sequences if not cache.path(s).is_file()), key=lambda s: (-len(s), s))
    for _ in parallel_map(cache.get, missing, workers, "Predicting base pairs"):
        pass


def _with_clusters(chosen: list[Chosen], infos: list[ChainInfo], known: Mapping[str, ChainMetadata]) -> list[ChainInfo]:
    given = [known[info.name].cluster if info.name in known else None for info in infos]
    found = clusters.greedy_clusters([one.parsed.sequence for one in chosen], given)
    return [replace(info, cluster=cluster) for info, cluster in zip(infos, found)]


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
    chosen: list[Chosen],
    parsed_cache: ParsedCache,
    structure_cache: SecondaryStructureCache,
    pair_features: dict[str, SparsePairs],
) -> Iterator[Chain]:
    for one in chosen:
        structure = parsed_cache.structure(one.source, one.position)
        yield as_chain(structure, structure_cache.get(one.parsed.sequence), pair_features.get(one.parsed.info.name))


def _remove_unused(folder: Path, used: set[Path]) -> None:
    for path in folder.iterdir():
        if path not in used:
            path.unlink() if path.is_file() else shutil.rmtree(path)


def _remove_leftovers(out: Path) -> None:
    """Remove what a killed run was writing, and the files of a dataset of a former format."""
    leftovers = [*out.rglob(f".*{TEMPORARY}"), *out.glob("*.npy"), *(out / name for name in FORMER)]
    for path in leftovers:
        path.unlink(missing_ok=True)
