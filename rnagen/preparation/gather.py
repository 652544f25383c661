"""The chains of some inputs, read and chosen, before base pairs are predicted for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from rnagen.data.chains import ChainInfo
from rnagen.errors import InputError
from rnagen.io.formats import left_out
from rnagen.parallel import parallel_map
from rnagen.preparation import clusters
from rnagen.preparation.choice import Chosen, choose_chains, with_facts
from rnagen.preparation.metadata import ChainMetadata, read_metadata
from rnagen.preparation.parsed import ParsedCache, ParsedSource, reader_version
from rnagen.preparation.report import PrepareReport, Skip
from rnagen.preparation.sources import Source, Sources, find_metadata, find_sources
from rnagen.structure import RNAStructure


@dataclass(frozen=True)
class Inputs:
    """What the inputs of a dataset are, before any is read."""

    paths: list[Path]
    """As given."""
    found: Sources
    tables: list[Path]
    """Of metadata."""
    known: dict[str, ChainMetadata]
    """What the metadata know of each chain."""
    only: dict[str, ChainMetadata] | None
    """The chains to use, with facts that are preferred; None for all."""
    assume_date: str

    @classmethod
    def find(
        cls,
        paths: list[Path],
        metadata_table: Path | None = None,
        only: dict[str, ChainMetadata] | None = None,
        assume_date: str = "",
    ) -> "Inputs":
        """The files of the inputs and the facts about their chains; see `rnagen.preparation.dataset.prepare`.

        Raises:
            InputError: an input or the metadata cannot be used.
        """
        found = find_sources(paths)
        tables = [metadata_table] if metadata_table is not None else find_metadata(paths)
        return cls(paths, found, tables, {**read_metadata(tables), **(only or {})}, only, assume_date)


@dataclass(frozen=True)
class Gathered:
    """The chains of the inputs that can be used, sorted by name."""

    chosen: list[Chosen]
    infos: list[ChainInfo]
    report: PrepareReport
    parsed: ParsedCache
    """What was read."""
    files: set[Path]
    """Files of the cache that were needed."""

    def structures(self) -> Iterator[RNAStructure]:
        """The structure of each chain, with all heavy atoms."""
        return (self.parsed.structure(one.source, one.position) for one in self.chosen)


def gather(inputs: Inputs, folder: Path, workers: int) -> Gathered:
    """Read the inputs, choose one copy of each chain, and put down what is known of it.

    Args:
        inputs: files and facts.
        folder: where parsed files are stored, and found by the next run.
        workers: processes. The result does not depend on their number.

    Raises:
        InputError: no chain is left.
    """
    sources, cache = inputs.found.used, ParsedCache(folder, reader_version())
    parsed = _parse(sources, cache, workers)
    report = PrepareReport(
        files=len(sources),
        metadata=[str(path) for path in inputs.tables],
        notes=[f"{source.label}: {note}" for source in sources for note in parsed[source].notes],
        others=left_out(inputs.found.others),
    )
    chosen = choose_chains(sources, parsed, report, inputs.only, inputs.known)
    if not chosen:
        _refuse_empty(inputs.paths, report)
    infos = [with_facts(one, inputs.known, inputs.assume_date) for one in chosen]
    return Gathered(
        chosen,
        _with_clusters(chosen, infos, inputs.known),
        report,
        cache,
        {cache.path(source) for source in sources},
    )


def _parse(sources: list[Source], cache: ParsedCache, workers: int) -> dict[Source, ParsedSource]:
    parsed = {source: found for source in sources if (found := cache.load(source)) is not None}
    missing = [source for source in sources if source not in parsed]
    missing.sort(key=lambda source: -source.path.stat().st_size)
    parsed.update(parallel_map(cache.get, missing, workers, "Reading structures"))
    return parsed


def _refuse_empty(inputs: list[Path], report: PrepareReport) -> NoReturn:
    first = report.skipped[0] if report.skipped else Skip(", ".join(map(str, inputs)), "", "the files contain none")
    more = f" (and {len(report.skipped) - 1} more)" if len(report.skipped) > 1 else ""
    raise InputError(first.file, first.chain or None, f"no usable RNA chain: {first.reason}{more}")


def _with_clusters(chosen: list[Chosen], infos: list[ChainInfo], known: Mapping[str, ChainMetadata]) -> list[ChainInfo]:
    given = [known[info.name].cluster if info.name in known else None for info in infos]
    found = clusters.greedy_clusters([one.parsed.sequence for one in chosen], given)
    return [replace(info, cluster=cluster) for info, cluster in zip(infos, found)]
