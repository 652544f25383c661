"""`rnagen train` and `train.py`."""

from collections.abc import Sequence

from rnagen.cli.options import guarded, parse, split_config
from rnagen.config.confidence import ConfidenceConfig
from rnagen.config.files import load_yaml
from rnagen.config.reactivity import ReactivityConfig
from rnagen.config.structure import TrainConfig
from rnagen.errors import ConfigError

TASKS = {"structure": TrainConfig, "reactivity": ReactivityConfig, "confidence": ConfidenceConfig}


def main(arguments: Sequence[str]) -> int:
    """Parse, then train; lightning is imported only then."""

    def command() -> int:
        config = parse(TASKS[task_of(arguments)](), arguments, "train.py")
        if isinstance(config, ReactivityConfig):
            from rnagen.tasks.reactivity.run import train_reactivity

            print(f"finished: {train_reactivity(config)}")
        elif isinstance(config, ConfidenceConfig):
            from rnagen.tasks.confidence.run import train_confidence

            print(f"finished: {train_confidence(config)}")
        else:
            from rnagen.tasks.structure.run import train

            print(f"finished: {train(config)}")
        return 0

    return guarded(command, "train.py")


def task_of(arguments: Sequence[str]) -> str:
    """The task of a command line: of `--task`, else of the file of `--config`, else structure.

    Raises:
        ConfigError: there is no such task, or the file of `--config` cannot be read.
    """
    flags, file = split_config(arguments)
    task = load_yaml(file).get("task", "structure") if file is not None else "structure"
    for flag, value in zip(flags, [*flags[1:], ""]):
        name, separator, joined = flag.partition("=")
        if name == "--task":
            task = joined if separator else value
    if task not in TASKS:
        raise ConfigError(f"task: {task!r} is none of {', '.join(TASKS)}")
    return str(task)
