"""Which chains go into a dataset: one copy of each RNA, under an id of its own, with what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rnagen.data.chains import ChainInfo
from rnagen.io.labels import PDB_ID
from rnagen.preparation.metadata import ChainMetadata, chain_id
from rnagen.preparation.parsed import ParsedChain, ParsedSource, is_part
from rnagen.preparation.report import PrepareReport, Skip
from rnagen.preparation.sources import Source
from rnagen.secondary.vienna import MAXIMUM_LENGTH

MAXIMUM_OUT_OF_RANGE = 0.5
"""Share of bonds out of range from which on a chain is left out. The worst of 2,957 chains of the PDB has 0.35."""


@dataclass(frozen=True)
class Chosen:
    """A chain that goes into the dataset, and where it is read from."""

    id: str
    """Its id in the file and in metadata; another RNA may have it too."""
    parsed: ParsedChain
    source: Source
    position: int


def choose_chains(
    sources: list[Source],
    parsed: dict[Source, ParsedSource],
    report: PrepareReport,
    only: dict[str, ChainMetadata] | None,
    known: Mapping[str, ChainMetadata],
) -> list[Chosen]:
    """One copy of each chain, sorted by name: full atoms before C1' only, then the first of the inputs."""
    chosen: dict[str, Chosen] = {}
    copies: dict[str, list[Chosen]] = {}
    for source in sorted(sources, key=lambda source: source.is_table):
        if parsed[source].refusal:
            report.skipped.append(Skip(source.label, "", parsed[source].refusal))
        report.skipped += [Skip(source.label, record, reason) for record, reason in parsed[source].failures]
        for position, chain in enumerate(parsed[source].chains):
            name = chain.info.name
            if only is not None and name not in only:
                continue
            reason = _unusable(chain) or known.get(name, ChainMetadata()).fault
            if reason:
                report.skipped.append(Skip(source.label, name, reason))
                continue
            others = copies.setdefault(name, [])
            same = next((other for other in others if _is_same_rna(other.parsed, chain)), None)
            if same is not None:
                report.duplicates.append(Skip(source.label, name, same.source.label))
                continue
            one = Chosen(name, _renamed(chain, len(others) + 1) if others else chain, source, position)
            if others:
                report.renamed.append(Skip(source.label, name, one.parsed.info.name))
            others.append(one)
            chosen[one.parsed.info.name] = one
    found = {*chosen, *(skip.chain for skip in report.skipped)}
    report.skipped += [
        Skip("", name, "not found in the files of its entry") for name in sorted({*(only or {})} - found)
    ]
    return [chosen[name] for name in sorted(chosen)]


def _is_same_rna(one: ParsedChain, other: ParsedChain) -> bool:
    """Whether two chains of one id are one RNA: their sequences are the same. Of a database entry, one copy may list
    the resolved residues alone."""
    short, long = sorted((one.sequence, other.sequence), key=len)
    if len(short) == len(long):
        return all(a == b or "N" in (a, b) for a, b in zip(short, long))
    return bool(PDB_ID.fullmatch(one.info.entry)) and is_part(short, long)


def _renamed(chain: ParsedChain, number: int) -> ParsedChain:
    """The chain under an id of its own: `model_A` becomes `model-2_A`."""
    info = chain.info
    entry = f"{info.entry or info.name}-{number}"
    return replace(chain, info=replace(info, name=chain_id(entry, info.chain), entry=entry))


def _unusable(chain: ParsedChain) -> str:
    if len(chain.sequence) > MAXIMUM_LENGTH:
        return f"{len(chain.sequence)} nt; ViennaRNA predicts base pairs of {MAXIMUM_LENGTH} nt at most here"
    if chain.num_models == 0 or chain.info.resolved == 0.0:
        return "no residue with a C1' atom"
    if chain.out_of_range > MAXIMUM_OUT_OF_RANGE:
        return f"{chain.out_of_range:.0%} of its bonds are out of range: are the coordinates those of a molecule, in Å?"
    return ""


def with_facts(one: Chosen, known: Mapping[str, ChainMetadata], assume_date: str) -> ChainInfo:
    """What is known of a chain; the metadata stand before the file."""
    info = one.parsed.info
    # A chain that was renamed keeps the facts of its former id: the benchmark above all.
    facts = known.get(one.id, ChainMetadata())
    return replace(
        info,
        release_date=facts.release_date or info.release_date or assume_date,
        method=facts.method or info.method,
        resolution=facts.resolution if facts.resolution == facts.resolution else info.resolution,
        title=facts.title or info.title.strip("'\""),
        benchmark=facts.benchmark or info.benchmark,
        source=one.source.label,
    )
