"""Configurations as flat options: {name: value} out of nested dataclasses and back, and YAML files of them.

An option that most users may want to set is declared as `Basic[type]`: `--help` lists these, `--help-all` lists all.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import yaml

from rnagen.config.ranges import RANGES
from rnagen.errors import ConfigError
from rnagen.messages import did_you_mean, one_line, quoted

T = typing.TypeVar("T")

BASIC = "basic"
Basic = Annotated[T, BASIC]
"""Type of an option that `--help` lists."""


def flatten(config: Any) -> dict[str, Any]:
    """{option name: value} of a configuration dataclass, through its sections."""
    flat: dict[str, Any] = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        flat.update(flatten(value) if dataclasses.is_dataclass(value) else {item.name: value})
    return flat


def to_plain(config: Any) -> dict[str, Any]:
    """`flatten` with values that JSON and YAML can hold (paths as text, tuples as lists)."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    return {name: plain(value) for name, value in flatten(config).items()}


def differing(here: Any, there: Any) -> str:
    """The options in which two configurations of one class differ, with both values; empty if they are equal."""
    old = flatten(there)
    new = {name: value for name, value in flatten(here).items() if old[name] != value}
    return ", ".join(f"{name} ({one_line(old[name], 40)} there, {one_line(new[name], 40)} here)" for name in new)


def refuse_unless(config: Any, checks: dict[str, bool], reasons: Mapping[str, str] = MappingProxyType({})) -> None:
    """Refuse a configuration if the value of an option does not pass its check.

    Args:
        config: a configuration dataclass.
        checks: whether the value of an option is good, by option.
        reasons: what is wrong with the value of an option, as words that follow the value; by default that it cannot be
            used, and what is expected.

    Raises:
        ConfigError: names the first such option, its value and the reason.
    """
    for name, good in checks.items():
        if not good:
            wanted = f" (expected {RANGES[name]})" if name in RANGES else ""
            reason = reasons.get(name, f"cannot be used{wanted}")
            raise ConfigError(f"{name}: {quoted(flatten(config)[name])} {reason}")


RENAMED = {
    "evidence": ("pair_features",),
    "evidence_dropout": ("pair_feature_dropout",),
    "fold": ("secondary_structures", "cv_split"),
    "folds": ("cv_splits",),
    "pool": ("candidates",),
    "floors": ("baselines",),
}
"""Options of earlier versions, each with what it may be called now; a configuration has at most one of these."""
RENAMED_VALUES = {("secondary_structures", "drawn"): "sampled"}


def current_name(config: Any, name: str) -> str:
    """The present name of an option of a configuration (or of its class); any other name is returned as it is."""
    if name not in RENAMED:
        return name
    known = {item.name for item in dataclasses.fields(config)} if isinstance(config, type) else flatten(config)
    return name if name in known else next((new for new in RENAMED[name] if new in known), name)


def presets_of(config: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """Options that set several others at once, by name and value: the `PRESETS` of a configuration's sections."""
    found = dict(getattr(config, "PRESETS", {}))
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        found |= presets_of(value) if dataclasses.is_dataclass(value) else {}
    return found


def with_presets(config: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The values, and those that the presets among them set; an option given explicitly overrides its preset."""
    for name, choices in presets_of(config).items():
        chosen = values.get(name)
        values = {**(choices.get(chosen, {}) if isinstance(chosen, str) else {}), **values}
    return values


def load_config(config: T, values: dict[str, Any], source: str) -> T:
    """A copy of a configuration dataclass with the named options replaced. Names of earlier versions are understood.

    Raises:
        ConfigError: an option does not exist or has a value of another type; names `source` and the option.
    """
    values = {current_name(config, name): value for name, value in values.items()}
    values = {
        name: RENAMED_VALUES.get((name, value), value) if isinstance(value, str) else value
        for name, value in values.items()
    }
    values = with_presets(config, values)
    known = flatten(config)
    unknown = sorted(set(values) - set(known))
    if unknown:
        near = did_you_mean(unknown[0], known)
        raise ConfigError(f"{source}: no such option: {one_line(', '.join(unknown))}{near}")
    return _load_config(config, values, source)


def _load_config(config: Any, values: dict[str, Any], source: str) -> Any:
    changes = {}
    for item in dataclasses.fields(config):
        current = getattr(config, item.name)
        if dataclasses.is_dataclass(current):
            changes[item.name] = _load_config(current, values, source)
        elif item.name in values:
            changes[item.name] = _convert(values[item.name], item.type, f"{source}: {item.name}")
    try:
        return dataclasses.replace(config, **changes)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def _convert(value: Any, kind: Any, where: str) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _convert(value, args[0], where)
    if origin in (typing.Union, types.UnionType):
        if (value is None and type(None) in args) or any(value in typing.get_args(a) for a in args):
            return value
        return _convert(value, args[0], where)
    if origin is Literal:
        good = value in args
    elif origin is tuple:
        value = (value,) if isinstance(value, str | Path) else value
        good = isinstance(value, Iterable) and not isinstance(value, Mapping | bytes)
        value = tuple(_convert(v, args[0], where) for v in value) if good else value
    elif kind is float:
        value = _as_float(value)
        good = isinstance(value, float)
    elif kind is Path:
        good = isinstance(value, str | Path)
        value = Path(value) if good else value
    else:
        value = str(value) if kind is str and isinstance(value, Path) else value
        good = type(value) is kind
    if not good:
        raise ConfigError(f"{where}: {quoted(value)} cannot be used (expected {expected(kind)})")
    return value


def expected(kind: Any) -> str:
    """What an option of this type takes, in words."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return expected(args[0])
    if origin in (typing.Union, types.UnionType):
        return ", or ".join("None" if a is type(None) else expected(a) for a in args)
    if origin is Literal:
        return f"one of {', '.join(map(str, args))}" if len(args) > 1 else str(args[0])
    return "a list" if origin is tuple else _NAMES.get(kind, str(kind))


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a path"}


def _as_float(value: Any) -> Any:
    """A number as float; anything else as it is."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number or (isinstance(value, str) and _POWER_OF_TEN.fullmatch(value)):
        try:
            return float(value)
        except OverflowError:
            pass
    return value


_POWER_OF_TEN = re.compile(r"[-+]?\d{1,30}(\.\d{0,30})?[eE][-+]?\d{1,3}")
"""Numbers such as 1e-3, which YAML takes for text."""


MOST_CHARACTERS = 1_000_000
"""Of a file of options; reading it takes ten seconds."""


class _Loader(yaml.SafeLoader):
    """YAML whose dates are text: no option is a date, and a cutoff is checked where it is used. There are no aliases:
    a few lines of aliases of aliases stand for more values than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            where = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "aliases (*) are not read: write out the value", where)
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(path: Path) -> dict[str, Any]:
    """Options of a YAML file, flat.

    Raises:
        ConfigError: the file is missing, unreadable, not YAML or not a mapping of option names.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(MOST_CHARACTERS + 1)
        if len(text) > MOST_CHARACTERS:
            raise ConfigError(f"{path}: has more than {MOST_CHARACTERS:,} characters: not a file of options")
        values = yaml.load(text, _Loader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text in UTF-8") from None
    except RecursionError:
        raise ConfigError(f"{path}: cannot be parsed as YAML: nested too deeply") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be parsed as YAML: {_yaml_reason(error)}") from error
    # An empty file, or one of comments.
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: not a mapping of options")
    for name in values:
        if not isinstance(name, str):
            raise ConfigError(f"{path}: no such option: {quoted(name)}")
    return {name.replace("-", "_"): value for name, value in values.items()}


def _yaml_reason(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = "" if mark is None else f"line {mark.line + 1}: "
    return one_line(where + str(problem or error), 200)
