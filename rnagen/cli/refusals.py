"""Why a command line cannot be parsed, in one line: the option, what was given, and what is expected."""

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from rnagen.config.files import expected
from rnagen.errors import ConfigError
from rnagen.messages import did_you_mean, one_line, quoted

_OPTION = re.compile(r"--?[A-Za-z]")
_FRAME = re.compile(r"[─│╭╮╰╯]+")


def refusal(options: Any, flags: Sequence[str], stopped: SystemExit, output: str) -> ConfigError:
    """The error for a command line that the parser has refused.

    Args:
        options: configuration, or the class of one.
        flags: of the command line.
        stopped: raised by the parser.
        output: what the parser has printed, for a case that is not known here.
    """
    cause: BaseException | None = stopped
    while cause is not None and not isinstance(cause, ConfigError):
        cause = cause.__context__
    if isinstance(cause, ConfigError):
        return cause
    known = kinds(options)
    left_over: list[str] = []
    for option, values in groups(flags):
        reason, rest = _refused(option, values, known) if option else ("", values)
        if reason:
            return ConfigError(reason)
        left_over += rest
    places = [name for name, kind in known.items() if _is_positional(kind)]
    several = any(typing.get_origin(_plain(known[name])) is tuple for name in places)
    if len(left_over) > len(places) and not several:
        return ConfigError(f"{one_line(left_over[len(places)], 60)}: belongs to no option (--help lists them)")
    if len(left_over) < len(places):
        return ConfigError(f"{places[len(left_over)].upper()}: is missing (--help explains it)")
    return ConfigError(one_line(_FRAME.sub(" ", output)))


def kinds(options: Any) -> dict[str, Any]:
    """Types of all options by name, through the sections of a configuration."""
    found: dict[str, Any] = {}
    for item in dataclasses.fields(options):
        value = getattr(options, item.name, None)
        found |= kinds(value) if dataclasses.is_dataclass(value) else {item.name: item.type}
    return found


def groups(flags: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(option, words up to the next option); the first option is empty: the words before any."""
    option, values = "", list[str]()
    for flag in flags:
        if not _OPTION.match(flag):
            values.append(flag)
            continue
        yield option, values
        option, equals, value = flag.partition("=")
        values = [value] if equals else []
    yield option, values


def _refused(option: str, values: list[str], known: dict[str, Any]) -> tuple[str, list[str]]:
    """(what is wrong with an option and its values, perhaps nothing; the words behind it that are not its values)."""
    name = option.lstrip("-").replace("-", "_")
    flag = name.removeprefix("no_")
    if name in known and not _is_positional(known[name]):
        kind = _plain(known[name])
    elif flag in known and _plain(known[flag]) is bool:
        name, kind = flag, bool
    else:
        names = [f"--{other.replace('_', '-')}" for other in known if not _is_positional(known[other])]
        hint = did_you_mean(option, [*names, "--config", "--help"]) or " (--help lists them)"
        return f"{one_line(option, 60)}: no such option{hint}", []
    if kind is bool:
        taken, rest = values[:0], values
        if rest and rest[0].lower() in ("true", "false", "yes", "no", "1", "0"):
            dashed = name.replace("_", "-")
            return f"{name}: takes no value, not {quoted(rest[0])} (write --{dashed} or --no-{dashed})", []
    elif typing.get_origin(kind) is tuple:
        taken, rest = values, []
    else:
        taken, rest = values[:1], values[1:]
        if not taken:
            return f"{name}: needs a value (expected {expected(known[name])})", []
    item = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else kind
    bad = [value for value in taken if not _fits(known[name], item, value)]
    return (f"{name}: {quoted(bad[0])} cannot be used (expected {expected(item)})" if bad else ""), rest


def _fits(declared: Any, kind: Any, value: str) -> bool:
    if value == "None" and _is_optional(declared):
        return True
    if _is_union(kind):
        return any(_fits(declared, part, value) for part in typing.get_args(kind))
    if typing.get_origin(kind) is Literal:
        return value in map(str, typing.get_args(kind))
    try:
        return kind in (str, Path) or kind(value) is not None
    except ValueError:
        return False


def _plain(kind: Any) -> Any:
    """A type without its annotations and without None."""
    if typing.get_origin(kind) is Annotated:
        return _plain(typing.get_args(kind)[0])
    if _is_optional(kind):
        return _plain(next(part for part in typing.get_args(kind) if part is not type(None)))
    return kind


def _is_optional(kind: Any) -> bool:
    if typing.get_origin(kind) is Annotated:
        return _is_optional(typing.get_args(kind)[0])
    return _is_union(kind) and type(None) in typing.get_args(kind)


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def _is_positional(kind: Any) -> bool:
    return tyro.conf.Positional in typing.get_args(kind)[1:]
