"""`rnagen prepare`: structure files and Kaggle tables -> a dataset that training opens at once."""

import sys
from collections.abc import Sequence

from rnagen.cli.options import guarded, parse
from rnagen.config.prepare import PrepareConfig
from rnagen.messages import number_of
from rnagen.progress import silenced

PROG = "rnagen prepare"


def main(arguments: Sequence[str]) -> int:
    """Parse, then prepare."""
    return guarded(lambda: run(parse(PrepareConfig(), arguments, PROG)), PROG, go_on="the next run continues from here")


def run(config: PrepareConfig) -> int:
    """Prepare; the exit code: 0 done, 1 some inputs failed and that counts, 2 nothing could be written.

    Raises:
        InputError: inputs, metadata or folder cannot be used.
        ConfigError: there is no input.
    """
    # Here and not above: --help answers at once.
    from rnagen.preparation.run import run_prepare

    try:
        with silenced(config.quiet):
            done = run_prepare(config)
    except OSError as error:
        print(f"{PROG}: {error}\nThe next run continues from here.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROG}: interrupted; the next run continues from here.", file=sys.stderr)
        return 130
    print("\n".join(done.report.lines(config.out)))
    if config.splits is not None:
        print(f"{config.splits}: {_counts(done.splits)}")
    if config.beads is not None:
        print(f"{config.beads}: {_counts(done.beads)}; {config.beads.stat().st_size / 1e6:.1f} MB")
    # Imported with torch, which --help does not wait for.
    from rnagen.data.filters import counted

    if done.not_trained:
        print(f"in the training set, but not trained on by default: {counted(done.not_trained)}")
    if done.left_out:
        remedy = " (--assume-date dates those without)" if "without a date" in done.left_out else ""
        print(f"neither train nor validate: {counted(done.left_out)}{remedy}")
    for download in done.failed:
        print(f"{PROG}: {download.entry}: {download.failure}", file=sys.stderr)
    if done.failed:
        print(f"{PROG}: {number_of(len(done.failed), 'entry')} could not be downloaded", file=sys.stderr)
    return 1 if done.failed or (config.strict and done.report.skipped) else 0


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
