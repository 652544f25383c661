"""`rnagen train` and `train.py`."""

from collections.abc import Sequence

from rnagen.cli.options import flag_value, guarded, parse, split_config
from rnagen.config.files import load_yaml
from rnagen.config.messages import quoted
from rnagen.errors import ConfigError
from rnagen.tasks import TASKS, make_task


def main(arguments: Sequence[str]) -> int:
    """Parse, then train; lightning is imported only then."""

    def command() -> int:
        config = parse(TASKS[task_of(arguments)](), arguments, "train.py")
        task = make_task(config)
        from rnagen.training.fit import fit

        print(f"finished: {fit(task)}")
        return 0

    return guarded(command, "train.py")


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
