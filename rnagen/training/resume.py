"""What a run starts from, and what of a run that is resumed may change. No heavy import here."""

import os
from pathlib import Path
from typing import Any, TypeVar

from rnagen.config.files import current_name, flatten, load_config, load_yaml, presets_of, to_plain
from rnagen.config.resume import MAY_CHANGE, OF_ONE_COMMAND
from rnagen.config.shared import TaskConfig, no_such_data
from rnagen.errors import ConfigError, InputError
from rnagen.io.files import read_json
from rnagen.messages import one_line

ConfigT = TypeVar("ConfigT", bound=TaskConfig)

STATE = "last.ckpt"
"""Training state: model, average, optimizer, schedule, position. For resuming only, never for sampling."""
CONFIG = "config.yaml"
"""The options of a run, beside its state."""


def start_from(ckpt: Path | None) -> tuple[Path | None, Path | None]:
    """(training state to resume, weights to start from), at most one of them.

    Raises:
        ConfigError: the file is missing or neither a state (.ckpt) nor weights (.safetensors).
    """
    if ckpt is None:
        return None, None
    if ckpt.is_dir() and (ckpt / STATE).is_file():
        return ckpt / STATE, None
    if ckpt.is_dir():
        raise ConfigError(f"ckpt: {ckpt} is a folder without {STATE} (expected a run's, or a file of weights)")
    if not ckpt.is_file():
        raise ConfigError(f"ckpt: {ckpt}: no such file")
    if ckpt.suffix == ".ckpt":
        return ckpt, None
    if ckpt.suffix == ".safetensors":
        return None, ckpt
    raise ConfigError(f"ckpt: {ckpt} is neither a training state (.ckpt) nor weights (.safetensors)")


def shaped_as(defaults: ConfigT, weights: Path) -> ConfigT:
    """The defaults with the shape of the model that weights describe, and with its path and what it predicts.

    What cannot be read is refused where the weights are.
    """
    described = weights.with_suffix(".json")
    skipped = {*getattr(defaults.model, "NOT_SHAPE", ()), *presets_of(defaults), "categories"}
    shape = {*flatten(defaults.model), "path_type", "prediction"} - skipped
    try:
        found = read_json(described)
        if found["task"] != flatten(defaults)["task"]:
            return defaults
        values = {name: value for name, value in found["config"].items() if current_name(defaults, name) in shape}
        return load_config(defaults, values, str(described))
    except (InputError, ConfigError, KeyError, AttributeError):
        return defaults


def record_of(config: TaskConfig, start: Path | None) -> dict[str, Any]:
    """The options of a run as its config.yaml holds them. What exists has its absolute path, so that the run goes on
    from any working directory.

    Args:
        config: of the run.
        start: the state or weights that it starts from.
    """
    paths = {name: value for name, value in flatten(config).items() if isinstance(value, Path)}
    paths |= {} if start is None else {"ckpt": start}
    return to_plain(config) | {name: str(path.absolute()) for name, path in paths.items() if path.exists()}


def recorded_options(state: Path) -> dict[str, Any]:
    """The options of the run that a training state belongs to.

    Raises:
        ConfigError: its config.yaml is not beside it, or cannot be used.
    """
    file = state.parent / CONFIG
    if not file.exists():
        remedy = f"put the run's {CONFIG} there, or start from its weights (.safetensors)"
        raise ConfigError(f"ckpt: {state}: a run goes on with its own options, but {file} does not exist: {remedy}")
    values = load_yaml(file)
    if not values:
        raise ConfigError(f"{file}: holds no options")
    return values


def resumed_options(defaults: ConfigT, state: Path) -> ConfigT:
    """The options with which a run goes on unless others are given: its own, in the folder in which its state is.

    Raises:
        ConfigError: see `recorded_options`.
    """
    config = load_config(defaults, recorded_options(state), str(state.parent / CONFIG))
    changed: dict[str, Any] = {"ckpt": state, **OF_ONE_COMMAND}
    folder = Path(os.path.abspath(state.parent))
    if Path(os.path.abspath(config.run.run_dir / config.run.run_name)) != folder:
        changed |= {"run_dir": folder.parent, "run_name": folder.name}
    return load_config(config, changed, "ckpt")


def refuse_missing_data(config: TaskConfig, state: Path | None) -> None:
    """Refuse data that do not exist, unless they are those that a task has by default.

    Raises:
        ConfigError: names them and, for a run to be resumed, how to name where they are now.
    """
    # A task of another kind may read no dataset.
    data, default = flatten(config).get("data"), flatten(type(config)()).get("data")
    if data is not None and data != default and not data.exists():
        raise no_such_data(
            data, "" if state is None else ": if the data of the run have moved, name them by --data NEW"
        )


def refuse_changes(given: TaskConfig, state: Path) -> None:
    """Refuse options that differ from those of the run to be resumed.

    Raises:
        ConfigError: names the first such option and both values; or see `recorded_options`.
    """
    values = recorded_options(state)
    refuse_another_task(flatten(given)["task"], values)
    recorded = flatten(load_config(type(given)(), values, str(state.parent / CONFIG)))
    for name, value in flatten(given).items():
        if name not in MAY_CHANGE and not same(recorded[name], value):
            raise _changed(name, recorded[name], value)


def refuse_another_task(task: str, recorded: dict[str, Any]) -> None:
    """Refuse a task that differs from that of the run to be resumed.

    Raises:
        ConfigError: names both.
    """
    before = recorded.get("task", "structure")
    if task != before:
        raise _changed("task", before, task)


def same(first: Any, second: Any) -> bool:
    """Whether two values of an option are equal; paths are, if they lead to the same place."""
    if isinstance(first, Path) and isinstance(second, Path):
        return os.path.realpath(first) == os.path.realpath(second)
    return bool(first == second)


def _changed(name: str, before: Any, now: Any) -> ConfigError:
    return ConfigError(
        f"{name}: the run has {one_line(before, 90)}, {one_line(now, 90)} was given: a resumed run keeps it"
    )
