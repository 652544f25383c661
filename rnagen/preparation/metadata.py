"""A table of facts beside the structures: dates, methods, clusters, benchmarks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from rnagen.dates import parse_optional_date
from rnagen.errors import InputError
from rnagen.io.tables import Table, read_table


@dataclass(frozen=True)
class ChainMetadata:
    """Facts about one chain; empty, NaN or None where the table has none."""

    release_date: str = ""
    method: str = ""
    resolution: float = float("nan")
    title: str = ""
    cluster: int | None = None
    benchmark: str = ""
    fault: str = ""
    """Why the row of the chain cannot be used; the chain is then left out, because what stands in it may decide."""


def chain_id(entry: str, chain: str) -> str:
    """Identifier of a chain: entries in lower case, chains as they are (1jj2_A and 1jj2_a differ)."""
    return f"{entry.lower()}_{chain}" if chain else entry


def read_metadata(paths: Iterable[Path]) -> dict[str, ChainMetadata]:
    """Metadata by chain id. A row that cannot be used, or contradicts another in date or benchmark, is a fault of its
    chain alone; otherwise the first row about a chain counts.

    Columns: `pdb_id` and `chain`, or `id`; optionally `release_date`, `method`, `resolution`, `title`, `cluster80` or
    `cluster` (-1: none) and `benchmark`.

    Raises:
        InputError: a table cannot be read or names no chains.
    """
    found: dict[str, ChainMetadata] = {}
    for path in paths:
        table = read_table(path)
        if "id" not in table.column and not {"pdb_id", "chain"} <= table.column.keys():
            raise InputError(path, None, "does not name chains; it needs the column id, or pdb_id and chain")
        for number, row in enumerate(table.rows, start=2):
            name = _id_of_row(table, row)
            try:
                facts = _metadata_of_row(table, row)
            except ValueError as error:
                facts = ChainMetadata(fault=f"{path.name}, row {number} ({name}): {error}")
            found[name] = _together(found[name], facts) if name in found else facts
    return found


def _together(first: ChainMetadata, second: ChainMetadata) -> ChainMetadata:
    """The first facts about a chain; a fault where others contradict them in what decides about its use."""
    if first.fault or second.fault:
        return first if first.fault else second
    for name in ("release_date", "benchmark"):
        values = [getattr(facts, name) for facts in (first, second)]
        if all(values) and values[0] != values[1]:
            return ChainMetadata(fault=f"two rows of the metadata give it the {name} {values[0]} and {values[1]}")
    return replace(first, benchmark=first.benchmark or second.benchmark)


def _id_of_row(table: Table, row: list[str]) -> str:
    if table.cell(row, "pdb_id"):
        return chain_id(table.cell(row, "pdb_id"), table.cell(row, "chain"))
    entry, _, chain = table.cell(row, "id").partition("_")
    return chain_id(entry, chain)


def _metadata_of_row(table: Table, row: list[str]) -> ChainMetadata:
    if table.fault(row):
        raise ValueError(table.fault(row))
    cluster = _number(table, row, "cluster80" if table.cell(row, "cluster80") else "cluster", -1.0)
    if not cluster.is_integer() or abs(cluster) > 2**31:
        raise ValueError(f"{cluster} is not the number of a cluster")
    return ChainMetadata(
        release_date=parse_optional_date(table.cell(row, "release_date")),
        method=table.cell(row, "method"),
        resolution=_number(table, row, "resolution", float("nan")),
        title=table.cell(row, "title").strip("'\""),
        cluster=int(cluster) if cluster >= 0 else None,
        benchmark=table.cell(row, "benchmark"),
    )


def _number(table: Table, row: list[str], name: str, missing: float) -> float:
    cell = table.cell(row, name)
    try:
        return float(cell) if cell else missing
    except ValueError:
        raise ValueError(f"{name} {cell[:40]!r} is not a number") from None
