"""`rnagen prepare`: structure files and Kaggle tables -> a dataset that training opens at once."""

import datetime
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from rnagen.cli.options import guarded, parse
from rnagen.data.store import StructureStore
from rnagen.errors import InputError
from rnagen.prepare.dataset import WORK, PrepareReport, prepare, refuse_foreign
from rnagen.prepare.fetch import DEFAULT_URL, fetch_entries
from rnagen.prepare.splits import CUTOFF, read_split, write_splits


@dataclass
class PrepareOptions:
    """Make a dataset of structure files (mmCIF, PDB, also gzipped) and Kaggle tables. Inputs are only read.

    Of a folder with `structures` or `kaggle` inside, these two are taken; of any other folder, every structure file
    and every *_labels.csv. An interrupted run continues where it was; one without changes does nothing.
    """

    inputs: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Folders, structure files and Kaggle *_labels.csv tables."""
    out: Path = Path("data")
    """Folder of the dataset: new, empty, or made by this command."""
    metadata: Path | None = None
    """Table of dates, clusters and benchmarks by chain. Without it: each index.csv inside or beside an input."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes. The result does not depend on their number."""
    strict: bool = False
    """End with an error when anything was skipped."""
    splits: Path | None = None
    """Also write train.csv, val.csv and casp15.csv into this folder."""
    cutoff: str = CUTOFF
    """Release date from which on chains are not for training, for --splits."""
    assume_date: str = ""
    """Release date (YYYY-MM-DD) of chains that have none, such as unpublished ones: without a date nothing trains."""
    alignments: Path | None = None
    """Folder of alignments (FASTA or A3M, perhaps .gz), named by chain: 1abc_A.a3m. What they say of base pairs is kept
    beside the probabilities."""
    fetch: Path | None = None
    """A split (train.csv): download its entries into OUT/work and prepare its chains only."""
    fetch_url: str = DEFAULT_URL
    """Where --fetch finds an entry."""


def main(arguments: Sequence[str]) -> int:
    """Parse, then prepare."""
    return guarded(lambda: run(parse(PrepareOptions(), arguments, "rnagen prepare")), "rnagen prepare")


def run(options: PrepareOptions) -> int:
    """Prepare as told; the exit code: 0 done, 1 some inputs failed and that counts, 2 nothing could be written.

    Raises:
        InputError: inputs, metadata or folder cannot be used.
    """
    try:
        _check_date(options.assume_date)
        return _run(options)
    except OSError as error:
        print(f"rnagen prepare: {error}\nThe next run continues from here.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rnagen prepare: interrupted; the next run continues from here.", file=sys.stderr)
        return 130


def _check_date(date: str) -> None:
    try:
        if date:
            datetime.date.fromisoformat(date)
    except ValueError as error:
        raise InputError("--assume-date", None, f"{date!r} is no date YYYY-MM-DD") from error


def _run(options: PrepareOptions) -> int:
    inputs, only, failures = list(options.inputs), None, 0
    if options.fetch is not None:
        refuse_foreign(options.out)
        only = read_split(options.fetch)
        downloads = fetch_entries(
            {name.split("_")[0] for name in only}, options.out / WORK / "download", options.fetch_url
        )
        for download in downloads:
            if download.failure:
                print(f"rnagen prepare: {download.entry}: {download.failure}", file=sys.stderr)
                failures += 1
        inputs += [download.path for download in downloads if not download.failure]
    if not inputs:
        raise InputError("rnagen prepare", None, "no input: name folders or files, or give --fetch with a split")
    report = prepare(
        inputs, options.out, options.metadata, options.workers, only, options.assume_date, options.alignments
    )
    _print_report(report, options.out)
    if options.splits is not None:
        counts = write_splits(StructureStore.open(options.out), options.splits, options.cutoff)
        print(f"{options.splits}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    if failures:
        print(f"rnagen prepare: {failures} entries could not be downloaded", file=sys.stderr)
    return 1 if failures or (options.strict and report.skipped) else 0


def _print_report(report: PrepareReport, out: Path) -> None:
    done = "nothing changed, nothing done: " if report.up_to_date else ""
    print(
        f"{out}: {done}{report.chains} chains ({report.full_atom} with all atoms, "
        f"{report.chains - report.full_atom} with C1' only) of {report.files} files; "
        f"{len(report.duplicates)} duplicates left out; fingerprint {report.fingerprint[:12]}"
    )
    print(f"metadata: {', '.join(report.metadata) or 'none (dates as in the files)'}")
    if report.skipped:
        table = Table("skipped", "reason", "for example", title=f"Skipped; all in {out / 'skipped.csv'}")
        for reason, count in Counter(skip.reason for skip in report.skipped).most_common(12):
            example = next(skip for skip in report.skipped if skip.reason == reason)
            table.add_row(str(count), reason, " ".join(part for part in (example.file, example.chain) if part))
        Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
