"""`rnagen train` and `train.py`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnagen.cli.options import flag_value, guarded, parse, split_config, typed
from rnagen.config.files import load_yaml
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
    from rnagen.training.processes import is_first
    from rnagen.training.resume import STATE

    try:
        trained = fit(task)
    except TrainingError as error:
        print(f"{typed(PROG)}: {error}", file=sys.stderr)
        return 1
    if not is_first():
        return 0 if trained.end != "interrupted" else 130
    if trained.end != "finished":
        print(f"{typed(PROG)}: {trained.end}; go on with --ckpt {trained.folder / STATE}", file=sys.stderr)
        return 130 if trained.end == "interrupted" else 0
    print(f"finished: {trained.folder}" + (f" (left out: {trained.left_out})" if trained.left_out else ""))
    return 0


def options_of(arguments: Sequence[str]) -> Any:
    """The options of a command line over those of the run that it resumes, or over the defaults of its task.

    The task is that of `--task`, else of the file of `--config`, else of the run, else structure.

    Raises:
        ConfigError: the task does not exist, or a file or option cannot be used.
        SystemExit: after `--help`.
    """
    flags, file = split_config(arguments)
    values = {} if file is None else load_yaml(file)
    ckpt = flag_value(flags, "ckpt") or values.get("ckpt")
    start = None if ckpt in (None, "None") else Path(str(ckpt))
    if {"-h", "--help", "--help-all"} & set(flags):
        start = None
    defaults = default_options(flag_value(flags, "task") or values.get("task"), start)
    return parse(defaults, arguments, PROG)
