"""`rnagen train` and `train.py`."""

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from rnagen.cli.options import flag_value, guarded, parse, split_config
from rnagen.config.files import load_yaml
from rnagen.errors import ConfigError
from rnagen.tasks import default_options, make_task

PROG = "train.py"


def main(arguments: Sequence[str]) -> int:
    """Parse, then train; lightning is imported only then. 1: no step could be taken; others: see `guarded`."""
    return guarded(lambda: run(arguments), PROG)


def run(arguments: Sequence[str]) -> int:
    """Train by the options of the command line; returns the exit code.

    Raises:
        InputError, ConfigError: see `rnagen.training.fit.fit`.
    """
    task = make_task(options_of(arguments))
    from rnagen.training.fit import TrainingError, fit
    from rnagen.training.state import STATE

    try:
        trained = fit(task)
    except TrainingError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 1
    if trained.interrupted:
        print(f"{PROG}: interrupted; go on with --ckpt {trained.folder / STATE}", file=sys.stderr)
        return 130
    print(f"finished: {trained.folder}")
    return 0


def options_of(arguments: Sequence[str]) -> Any:
    """The options of a command line over those of the run that it resumes, or over the defaults of its task.

    The task is that of `--task`, else of the file of `--config`, else of the run, else structure.

    Raises:
        ConfigError: the task does not exist, or a file cannot be used.
        SystemExit: see `rnagen.cli.options.parse`.
    """
    flags, file = split_config(arguments)
    values = {} if file is None else load_yaml(file)
    ckpt = flag_value(flags, "ckpt") or values.get("ckpt")
    start = None if ckpt in (None, "None") else Path(str(ckpt))
    if {"-h", "--help", "--help-all"} & set(flags):
        start = None
    defaults = default_options(flag_value(flags, "task") or values.get("task"), start)
    with plain_refusals():
        return parse(defaults, arguments, PROG)


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Let an impossible value of a flag be one line, as in a file, where the parser has a box for it.

    Raises:
        ConfigError: the parser ended because of one.
    """
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            yield
    except SystemExit as stopped:
        refusal = refusal_behind(stopped)
        if refusal is None:
            raise
        # The box is left out.
        printed = io.StringIO()
        raise refusal from None
    finally:
        sys.stderr.write(printed.getvalue())


def refusal_behind(error: BaseException | None) -> ConfigError | None:
    """The refused value that an error goes back to, if there is one."""
    while error is not None and not isinstance(error, ConfigError):
        error = error.__context__
    return error
