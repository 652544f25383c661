"""A table of facts beside the structures: dates, methods, clusters, benchmarks."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rnagen.errors import InputError


@dataclass(frozen=True)
class ChainMetadata:
    """Facts about one chain; empty, NaN or None where the table has none."""

    release_date: str = ""
    method: str = ""
    resolution: float = float("nan")
    title: str = ""
    cluster: int | None = None
    benchmark: str = ""


def chain_id(entry: str, chain: str) -> str:
    """Identifier of a chain: entries in lower case, chains as they are (1jj2_A and 1jj2_a differ)."""
    return f"{entry.lower()}_{chain}" if chain else entry


def read_metadata(paths: Iterable[Path]) -> dict[str, ChainMetadata]:
    """Metadata by chain id. The first row about a chain wins.

    Columns: `pdb_id` and `chain`, or `id`; optionally `release_date`, `method`, `resolution`, `title`, `cluster80` or
    `cluster` (-1: none) and `benchmark`.

    Raises:
        InputError: a table cannot be read, names no chains, or has an invalid date, number or cluster.
    """
    found: dict[str, ChainMetadata] = {}
    for path in paths:
        try:
            # Chains named NA or NaN exist: nothing is read as missing.
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
        except (ValueError, OSError) as error:
            raise InputError(str(path), None, f"cannot be read: {error}") from error
        if "id" not in table and not {"pdb_id", "chain"} <= set(table.columns):
            raise InputError(str(path), None, "does not name chains; it needs the column id, or pdb_id and chain")
        rows = [{str(column): str(cell) for column, cell in row.items()} for row in table.to_dict("records")]
        for number, row in enumerate(rows, start=2):
            try:
                found.setdefault(_id_of_row(row), _metadata_of_row(row))
            except ValueError as error:
                raise InputError(str(path), f"line {number}", str(error)) from error
    return found


def _id_of_row(row: dict[str, str]) -> str:
    if row.get("pdb_id"):
        return chain_id(row["pdb_id"], row["chain"])
    entry, _, chain = row.get("id", "").partition("_")
    return chain_id(entry, chain)


def _metadata_of_row(row: dict[str, str]) -> ChainMetadata:
    date = row.get("release_date", "")
    if date:
        datetime.date.fromisoformat(date)
    cluster = int(row.get("cluster80") or row.get("cluster") or -1)
    return ChainMetadata(
        release_date=date,
        method=row.get("method", ""),
        resolution=float(row.get("resolution") or "nan"),
        title=row.get("title", "").strip("'\""),
        cluster=cluster if cluster >= 0 else None,
        benchmark=row.get("benchmark", ""),
    )
