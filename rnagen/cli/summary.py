"""`rnagen summary`: the layers of a model with their parameter counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from rnagen.cli.options import guarded, parse
from rnagen.config.files import load_config, load_yaml
from rnagen.errors import ConfigError, InputError
from rnagen.messages import one_line, quoted
from rnagen.tasks import TASKS, default_options, make_task

if TYPE_CHECKING:
    from torch import nn

PROG = "rnagen summary"


@dataclass
class SummaryOptions:
    """List the layers of a model of any task, with parameter counts and the size of the whole."""

    model: Annotated[Path, tyro.conf.Positional]
    """Configuration (.yaml) or checkpoint (.safetensors, with its .json)."""
    depth: int = 2
    """Levels of nested layers."""

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ConfigError(f"depth: {self.depth} cannot be used")


def main(arguments: Sequence[str]) -> int:
    """Parse, then print the table. 0: done; 2: the configuration or checkpoint cannot be used."""
    return guarded(lambda: run(parse(SummaryOptions, arguments, PROG)), PROG)


def run(options: SummaryOptions) -> int:
    """Print the table; returns the exit code."""
    title, network = load_network(options.model)
    from rnagen.training.summary import summary_of

    print(f"{options.model}: {title}")
    print(summary_of(network, options.depth))
    return 0


def load_network(path: Path) -> tuple[str, "nn.Module"]:
    """A title, and the network of a configuration (untrained) or checkpoint.

    Raises:
        InputError: the file is neither, or cannot be used.
        ConfigError: an option in it does not exist or has an impossible value.
    """
    if path.suffix in (".yaml", ".yml"):
        values = load_yaml(path)
        config = load_config(default_options(values.get("task"), None), values, str(path))
        return f"{config.task} model", make_task(config).network()
    from rnagen.checkpoints.files import read_metadata
    from rnagen.checkpoints.structure import find_checkpoint

    path = find_checkpoint(path)
    if path.suffix not in (".safetensors", ".json"):
        raise InputError(path, None, "a configuration is a .yaml file, a checkpoint a .safetensors file")

    path = path.with_suffix(".safetensors")
    metadata = read_metadata(path)
    if metadata["task"] not in TASKS:
        raise InputError(path, None, f"is a checkpoint of an unknown task: {quoted(metadata['task'])}")
    names = [name for name in ("experiments", "cutoff", "step", "hours") if name in metadata]
    facts = [one_line(f"{name} {metadata[name]}", 200) for name in names]
    title = ", ".join([f"{metadata['task']} model", *facts])
    return title, make_task(TASKS[metadata["task"]]()).network(path)
