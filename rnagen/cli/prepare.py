"""`rnagen prepare`: structure files and Kaggle tables -> a dataset that training opens at once."""

import datetime
import sys
from collections.abc import Sequence

from rnagen.cli.options import guarded, parse
from rnagen.config.prepare import PrepareConfig
from rnagen.errors import ConfigError, InputError

PROG = "rnagen prepare"


def main(arguments: Sequence[str]) -> int:
    """Parse, then prepare."""
    return guarded(lambda: run(parse(PrepareConfig(), arguments, PROG)), PROG)


def run(config: PrepareConfig) -> int:
    """Prepare; the exit code: 0 done, 1 some inputs failed and that counts, 2 nothing could be written.

    Raises:
        InputError: inputs, metadata or folder cannot be used.
        ConfigError: there is no input.
    """
    try:
        if config.assume_date:
            datetime.date.fromisoformat(config.assume_date)
    except ValueError as error:
        raise InputError("--assume-date", None, f"{config.assume_date!r} is not a date (YYYY-MM-DD)") from error
    try:
        return _run(config)
    except OSError as error:
        print(f"{PROG}: {error}\nThe next run continues from here.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROG}: interrupted; the next run continues from here.", file=sys.stderr)
        return 130


def _run(config: PrepareConfig) -> int:
    # Here and not above: --help answers at once.
    from rnagen.data.dataset import Dataset
    from rnagen.prepare.dataset import WORK, prepare, refuse_foreign
    from rnagen.prepare.fetch import fetch_entries
    from rnagen.prepare.splits import read_split, write_beads, write_splits

    inputs, only, failed = list(config.inputs), None, []
    if config.fetch is not None:
        refuse_foreign(config.out)
        only = read_split(config.fetch)
        entries = {name.split("_")[0] for name in only}
        downloads = fetch_entries(entries, config.out / WORK / "download", config.fetch_url)
        failed = [download for download in downloads if download.failure]
        for download in failed:
            print(f"{PROG}: {download.entry}: {download.failure}", file=sys.stderr)
        inputs += [download.path for download in downloads if not download.failure]
    if not inputs:
        raise ConfigError("no input; name folders or files, or give --fetch with a split")
    report = prepare(inputs, config.out, config.metadata, config.workers, only, config.assume_date, config.alignments)
    print("\n".join(report.lines(config.out)))
    dataset = Dataset.open(config.out)
    if config.splits is not None:
        print(f"{config.splits}: {_counts(write_splits(dataset.chains, config.splits, config.cutoff))}")
    if config.beads is not None:
        counts = write_beads(dataset, config.beads, config.cutoff)
        print(f"{config.beads}: {_counts(counts)}; {config.beads.stat().st_size / 1e6:.1f} MB")
    if failed:
        print(f"{PROG}: {len(failed)} entries could not be downloaded", file=sys.stderr)
    return 1 if failed or (config.strict and report.skipped) else 0


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
