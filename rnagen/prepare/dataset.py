"""Structure files and Kaggle tables -> one dataset folder (see `rnagen.data.store`), resumable at any moment.

out/                 the dataset
out/skipped.csv      files and chains that could not be used, and why
out/duplicates.csv   chains that came twice, and which copy was kept
out/work             what makes the next run quick: downloads, parsed files, base pairs, the state of the last run.
                     It can be deleted.
"""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import RNA

import rnagen.secondary.alignments as aligned_data
from rnagen.data import store
from rnagen.data.store import StructureStore
from rnagen.errors import InputError
from rnagen.io import alignment
from rnagen.io.files import atomic_write, hash_files
from rnagen.parallel import parallel_map
from rnagen.prepare import clusters, metadata, store_writer
from rnagen.prepare.metadata import ChainMetadata, read_metadata
from rnagen.prepare.parsed import ParsedCache, ParsedSource, reader_version
from rnagen.prepare.sources import Source, file_signature, find_metadata, find_sources
from rnagen.secondary import coevolution, pairs
from rnagen.secondary import native as paired
from rnagen.secondary import vienna as basepairs
from rnagen.secondary.alignments import AlignmentCache, alignment_name, find_alignments
from rnagen.secondary.pairs import SecondaryStructures, SparsePairs, joined, no_pair_features
from rnagen.secondary.vienna import MAXIMUM_LENGTH, SecondaryStructureCache
from rnagen.structure import ALIGNED, RNAStructure

WORK = "work"
STATE = "state.json"


@dataclass(frozen=True)
class Skip:
    """A file, or one chain of it, that is not in the dataset."""

    file: str
    chain: str
    reason: str


@dataclass
class PrepareReport:
    """What a run of `prepare` did."""

    chains: int = 0
    full_atom: int = 0
    files: int = 0
    """Structure files and tables of the inputs."""
    metadata: list[str] = field(default_factory=list)
    """Metadata tables that were used."""
    skipped: list[Skip] = field(default_factory=list)
    duplicates: list[Skip] = field(default_factory=list)
    """Chains that came twice; `reason` names the copy that was kept."""
    fingerprint: str = ""
    up_to_date: bool = False
    """Nothing had changed since the last run, and nothing was done."""


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
        inputs: folders, structure files and Kaggle tables; see `find_sources` for what is taken.
        out: a new or empty folder, or a dataset made earlier, of which what has not changed is kept.
        metadata_table: dates, clusters and benchmarks; without it, each `index.csv` inside or beside an input.
        workers: processes. The result does not depend on their number.
        only: keep these chains alone, and prefer these facts about them.
        assume_date: release date of chains for which neither metadata nor file has one.
        alignments: folder of alignments, named by chain; one that is of another sequence is told among what is skipped.

    Raises:
        InputError: an input or the metadata cannot be used, `out` holds something else, or no chain is left.
    """
    refuse_foreign(out)
    sources = find_sources(inputs)
    tables = [metadata_table] if metadata_table is not None else find_metadata(inputs)
    known = {**read_metadata(tables), **(only or {})}
    aligned = {} if alignments is None else find_alignments(alignments)
    signature = _signature(sources, tables, only, assume_date, sorted(aligned.values()))
    previous = _finished(out, signature)
    if previous is not None:
        return previous

    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    parsed_cache = ParsedCache(work / "parsed", reader_version())
    structure_cache = SecondaryStructureCache(work / "structures")
    parsed = _parse(sources, parsed_cache, workers)
    report = PrepareReport(files=len(sources), metadata=[str(path) for path in tables])
    chosen = _choose(sources, parsed, report, only)
    if not chosen:
        raise InputError(", ".join(map(str, inputs)), None, "no usable RNA chain: " + _first_reasons(report.skipped))
    _fold({row["sequence"] for row, _ in chosen}, structure_cache, workers)

    pair_features = _align(chosen, aligned, AlignmentCache(work / "alignments"), workers, report)

    rows = [_complete(row, source, known, assume_date) for row, source in chosen]
    for row, cluster in zip(
        rows, clusters.greedy_clusters([r["sequence"] for r in rows], [r["cluster"] for r in rows])
    ):
        row["cluster"] = cluster
    report.fingerprint = store_writer.write_store(
        out, rows, _contents(chosen, parsed_cache, structure_cache, pair_features), RNA.__version__
    )
    report.chains, report.full_atom = len(rows), sum(row["kind"] == "full" for row in rows)
    _write_table(out / "skipped.csv", ["file", "chain", "reason"], report.skipped)
    _write_table(out / "duplicates.csv", ["file", "chain", "kept"], report.duplicates)
    _forget_unused(parsed_cache.folder, {parsed_cache.path(source) for source in sources})
    with atomic_write(work / STATE) as file:
        file.write(json.dumps({"signature": signature, "report": asdict(report)}).encode())
    return report


def refuse_foreign(out: Path) -> None:
    """Refuse a folder that this command did not make.

    Raises:
        InputError: it is a file, or holds something else.
    """
    if out.exists() and not out.is_dir():
        raise InputError(out, None, "is a file, not a folder to write a dataset to")
    if out.is_dir() and any(out.iterdir()) and not (out / WORK).is_dir() and not (out / store.MANIFEST).is_file():
        raise InputError(out, None, f"holds something else ({min(p.name for p in out.iterdir())}): give a new folder")


def _signature(
    sources: list[Source],
    tables: list[Path],
    only: dict[str, ChainMetadata] | None,
    assume_date: str,
    alignments: list[Path],
) -> str:
    """A hash that changes when the result could: inputs, metadata, code and versions."""
    modules = [aligned_data, basepairs, clusters, coevolution, alignment, metadata, paired, pairs, store, store_writer]
    code = hash_files([Path(str(module.__file__)) for module in modules] + [Path(__file__)])
    files = [[file_signature(file) for file in some] for some in (tables, alignments)]
    facts = [[s.label, s.signature()] for s in sources], files
    everything = [facts, repr(only), assume_date, reader_version(), code, RNA.__version__]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def _finished(out: Path, signature: str) -> PrepareReport | None:
    """Report of the last run, if it had the same signature and its dataset is still there."""
    try:
        state = json.loads((out / WORK / STATE).read_text())
        fingerprint = StructureStore.open(out).fingerprint
    except (FileNotFoundError, ValueError):  # no state, half a state, no dataset
        return None
    report = state["report"]
    if state["signature"] != signature or report["fingerprint"] != fingerprint:
        return None
    skips = {name: [Skip(**skip) for skip in report[name]] for name in ("skipped", "duplicates")}
    return PrepareReport(**(report | skips | {"up_to_date": True}))


def _parse(sources: list[Source], cache: ParsedCache, workers: int) -> dict[Source, ParsedSource]:
    parsed = {source: found for source in sources if (found := cache.load(source)) is not None}
    missing = [source for source in sources if source not in parsed]
    missing.sort(key=lambda source: -source.path.stat().st_size)
    parsed.update(parallel_map(cache.get, missing, workers, "Reading structures"))
    return parsed


def _choose(
    sources: list[Source],
    parsed: dict[Source, ParsedSource],
    report: PrepareReport,
    only: dict[str, ChainMetadata] | None,
) -> list[tuple[dict[str, Any], Source]]:
    """One copy of each chain, sorted by id: full atoms before C1' only, then the first of the inputs."""
    chosen: dict[str, tuple[dict[str, Any], Source]] = {}
    for source in sorted(sources, key=lambda source: source.is_table):
        if parsed[source].refusal:
            report.skipped.append(Skip(source.label, "", parsed[source].refusal))
        for row in parsed[source].chains:
            if only is not None and row["id"] not in only:
                continue
            reason = _unusable(row)
            if reason:
                report.skipped.append(Skip(source.label, row["id"], reason))
            elif row["id"] in chosen:
                selected = chosen[row["id"]][1]
                report.duplicates.append(Skip(source.label, row["id"], selected.label))
            else:
                chosen[row["id"]] = (row, source)
    found = {*chosen, *(skip.chain for skip in report.skipped)}
    report.skipped += [
        Skip("", name, "not found in the files of its entry") for name in sorted({*(only or {})} - found)
    ]
    return [chosen[name] for name in sorted(chosen)]


def _unusable(row: dict[str, Any]) -> str:
    if row["length"] > MAXIMUM_LENGTH:
        return f"{row['length']} nt, more than the {MAXIMUM_LENGTH} that are folded for base-pair probabilities"
    if row["num_models"] == 0 or row["resolved"] == 0.0:
        return "no residue with a C1' atom"
    return ""


def _fold(sequences: set[str], cache: SecondaryStructureCache, workers: int) -> None:
    missing = sorted((s for s in sequences if not cache.path(s).is_file()), key=lambda s: (-len(s), s))
    for _ in parallel_map(partial(_fold_one, cache), missing, workers, "Folding sequences"):
        pass


def _fold_one(cache: SecondaryStructureCache, sequence: str) -> None:
    cache.get(sequence)


def _complete(row: dict[str, Any], source: Source, known: dict[str, ChainMetadata], assume_date: str) -> dict[str, Any]:
    """Index columns of a chain; what the metadata says stands before what the file says."""
    facts = known.get(row["id"], ChainMetadata())
    resolution = facts.resolution if facts.resolution == facts.resolution else row["resolution"]
    return row | {
        "release_date": facts.release_date or row["release_date"] or assume_date,
        "method": facts.method or row["method"],
        "resolution": resolution,
        "title": facts.title or row["title"].strip("'\""),
        "cluster": facts.cluster,
        "benchmark": facts.benchmark or row["benchmark"],
        "target": bool(row["benchmark"]),
        "source": source.label,
    }


def _align(
    chosen: list[tuple[dict[str, Any], Source]],
    files: dict[str, Path],
    cache: AlignmentCache,
    workers: int,
    report: PrepareReport,
) -> dict[str, SparsePairs]:
    """What the alignments say of the chains that have one, by chain."""
    named = [(row["id"], files.get(alignment_name(row["id"])), row["sequence"]) for row, _ in chosen]
    wanted = [(name, file, sequence) for name, file, sequence in named if file is not None]
    pair_features = {}
    for (name, file, _), found in parallel_map(partial(_align_one, cache), wanted, workers, "Reading alignments"):
        if isinstance(found, str):
            report.skipped.append(Skip(file.name, name, f"its alignment: {found}"))
        else:
            pair_features[name] = found
    report.skipped.sort(key=lambda skip: (skip.file, skip.chain))
    return pair_features


def _align_one(cache: AlignmentCache, wanted: tuple[str, Path, str]) -> SparsePairs | str:
    """What an alignment says of a chain, or why it says nothing."""
    _, file, sequence = wanted
    try:
        return cache.get(file, sequence)
    except InputError as error:
        return error.reason


def _contents(
    chosen: list[tuple[dict[str, Any], Source]],
    parsed_cache: ParsedCache,
    structure_cache: SecondaryStructureCache,
    pair_features: dict[str, SparsePairs],
) -> Iterator[tuple[RNAStructure, SecondaryStructures]]:
    for row, source in chosen:
        structures = structure_cache.get(row["sequence"])
        aligned = pair_features.get(row["id"], no_pair_features(row["length"], len(ALIGNED)))
        yield (
            parsed_cache.structure(source, row["position"]),
            replace(structures, pairs=joined(structures.pairs, aligned)),
        )


def _first_reasons(skipped: list[Skip]) -> str:
    reasons = list(dict.fromkeys(skip.reason for skip in skipped))
    return "; ".join(reasons[:3]) if reasons else "the files hold none"


def _write_table(path: Path, columns: list[str], skips: list[Skip]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows((skip.file, skip.chain, skip.reason) for skip in skips)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


def _forget_unused(folder: Path, used: set[Path]) -> None:
    for path in folder.iterdir():
        if path not in used:
            path.unlink() if path.is_file() else shutil.rmtree(path)
