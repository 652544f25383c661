"""`rnagen train` and `train.py`."""

import sys
from collections.abc import Sequence

from rnagen.cli.options import flag_value, guarded, parse, split_config
from rnagen.config.files import load_yaml
from rnagen.errors import ConfigError
from rnagen.messages import quoted
from rnagen.tasks import TASKS, make_task

PROG = "train.py"


def main(arguments: Sequence[str]) -> int:
    """Parse, then train; lightning is imported only then. 1: no step could be taken; others: see `guarded`."""
    return guarded(lambda: run(arguments), PROG)


def run(arguments: Sequence[str]) -> int:
    """Train by the options of the command line; returns the exit code.

    Raises:
        InputError, ConfigError: see `rnagen.training.fit.fit`.
    """
    task = make_task(parse(TASKS[task_of(arguments)](), arguments, PROG))
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


def task_of(arguments: Sequence[str]) -> str:
    """The task of a command line: of `--task`, else of the file of `--config`, else structure.

    Raises:
        ConfigError: the task does not exist, or the file of `--config` cannot be read.
    """
    flags, file = split_config(arguments)
    recorded = load_yaml(file).get("task", "structure") if file is not None else "structure"
    task = flag_value(flags, "task") or recorded
    if not isinstance(task, str) or task not in TASKS:
        raise ConfigError(f"task: {quoted(task)} does not exist; choose one of {', '.join(TASKS)}")
    return task
