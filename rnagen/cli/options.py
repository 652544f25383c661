"""Command-line options from dataclasses: `--config FILE.yaml` replaces defaults, flags replace both."""

import contextlib
import dataclasses
import io
import os
import sys
import traceback
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tyro

from rnagen.cli.quiet import quieten_libraries
from rnagen.cli.refusals import refusal
from rnagen.cli.signals import Ending, Requests, Terminated
from rnagen.config.files import BASIC, RENAMED_VALUES, current_name, load_config, load_yaml, presets_of
from rnagen.config.shared import no_such_data
from rnagen.errors import ConfigError, InputError
from rnagen.memory import is_out_of_memory
from rnagen.messages import one_line

TRACEBACK = "RNAGEN_TRACEBACK"
"""Environment variable with which an internal error shows its traceback."""
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""Errors of paths, which neither rights nor room on the disk mend."""
LESS_MEMORY = "use smaller batches (in training --batch-size, --crop or --copies, in sampling --chunk) or shorter RNAs"


def parse(options: Any, arguments: Sequence[str], prog: str) -> Any:
    """Options of one command.

    Args:
        options: their defaults; or the class, for a command with arguments that have none.
        arguments: of the command line.
        prog: name of the command, for messages.

    Raises:
        ConfigError: the file of `--config` cannot be used, or an option does not exist or has an impossible value.
        SystemExit: after `--help` or `--help-all` (0).
    """
    prog = typed(prog)
    flags, file = split_config(arguments)
    everything = "--help-all" in flags
    flags = ["--help" if flag == "--help-all" else flag for flag in flags]
    if isinstance(options, type):
        flags = current_flags(options, flags, prog)
        return _parse(options, flags, options, {"prog": prog})
    if file is not None:
        values = load_yaml(file)
        for name in values:
            _warn_if_renamed(options, name, str(file))
        options = load_config(options, values, str(file))
    flags = current_flags(options, flags, prog)
    for name in presets_of(options):
        chosen = flag_value(flags, name)
        if chosen in presets_of(options)[name]:
            options = load_config(options, {name: chosen}, prog)
    if {"-h", "--help"} & set(flags) and not everything and any(map(is_basic, dataclasses.fields(options))):
        options = with_basic_help(options)
    without_sections: Any = tyro.conf.OmitArgPrefixes
    settings = {"prog": prog, "default": options, "config": (tyro.conf.OmitSubcommandPrefixes,)}
    config = _parse(without_sections[type(options)], flags, options, settings)
    data = flag_value(flags, "data")
    if data and not Path(data).exists():
        # The default may be absent, for the sample takes its place; what was asked for may not.
        raise no_such_data(data)
    return config


def _parse(kind: Any, flags: Sequence[str], options: Any, settings: dict[str, Any]) -> Any:
    output = io.StringIO()
    try:
        # The parser reports an error as a box of several lines.
        with contextlib.redirect_stderr(output):
            return tyro.cli(kind, args=flags, **settings)
    except SystemExit as stopped:
        if not stopped.code:
            raise
        raise refusal(options, flags, stopped, output.getvalue()) from None


def typed(prog: str) -> str:
    """A program as the user called it (`sample.py`, `rnagen sample`, `python -m rnagen.cli.main sample`), for its
    messages; its own name where that is not known."""
    called = Path(sys.argv[0])
    verb = prog.removesuffix(".py").removeprefix("rnagen").strip()
    if called.name == f"{verb}.py":
        return called.name
    if called.stem == "rnagen":
        return f"rnagen {verb}".strip()
    if called.parts[-3:] == ("rnagen", "cli", "main.py"):
        return f"python -m rnagen.cli.main {verb}".strip()
    return prog


def is_basic(item: "dataclasses.Field[Any]") -> bool:
    """Whether an option is declared as one that `--help` lists."""
    return BASIC in typing.get_args(item.type)[1:]


def with_basic_help(config: Any) -> Any:
    """The same options in a class whose help lists the basic ones only."""
    kind: Any = type(config)
    hints: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            value = with_basic_help(value)
            hints[item.name] = type(value)
        else:
            left_out: Any = tyro.conf.Suppress
            hints[item.name] = item.type if is_basic(item) else left_out[item.type]
        values[item.name] = value
    # Under the name of the original, in whose source the help texts are found.
    body = {"__annotations__": hints, "__doc__": kind.__doc__, "__module__": kind.__module__}
    body |= {"__qualname__": kind.__qualname__, "__post_init__": lambda self: None}
    made: Any = dataclasses.dataclass(frozen=True, kw_only=True)(type(kind.__name__, (kind,), body))
    return made(**values)


def flag_value(flags: Sequence[str], name: str) -> str | None:
    """The value of `--name VALUE` or `--name=VALUE`, the last one if it is repeated; None if it is not given."""
    found = None
    for flag, following in zip(flags, [*flags[1:], ""]):
        option, equals, value = flag.partition("=")
        if option == f"--{name.replace('_', '-')}":
            found = value if equals else following
    return found


def current_flags(config: Any, flags: Sequence[str], prog: str) -> list[str]:
    """The flags with options of earlier versions under their present names, and a warning for each."""
    found = list(flags)
    for place, flag in enumerate(flags):
        if not flag.startswith("--"):
            continue
        option, equals, value = flag.removeprefix("--").partition("=")
        negated = "no-" if option.startswith("no-") else ""
        old = option.removeprefix(negated).replace("-", "_")
        new = _warn_if_renamed(config, old, prog)
        if new == old:
            continue
        found[place] = f"--{negated}{new.replace('_', '-')}{equals}{RENAMED_VALUES.get((new, value), value)}"
        if not equals and place + 1 < len(flags):
            found[place + 1] = RENAMED_VALUES.get((new, flags[place + 1]), flags[place + 1])
    return found


def _warn_if_renamed(config: Any, old: str, source: str) -> str:
    new = current_name(config, old)
    if new != old:
        print(f"warning: {source}: the option {old} is now called {new}", file=sys.stderr)
    return new


def split_config(arguments: Sequence[str]) -> tuple[list[str], Path | None]:
    """Flags without `--config FILE`, and FILE.

    Raises:
        ConfigError: `--config` without a file.
    """
    flags: list[str] = []
    file: Path | None = None
    rest = iter(arguments)
    for argument in rest:
        name, _, value = argument.partition("=")
        if name != "--config":
            flags.append(argument)
            continue
        value = value or next(rest, "")
        if not value:
            raise ConfigError("--config needs a file")
        file = Path(value)
    return flags, file


def guarded(command: Callable[[], int], prog: str, go_on: str = "") -> int:
    """Run a command; an error is one line on stderr and an exit code, never a traceback.

    Args:
        command: returns its exit code.
        prog: name of the command.
        go_on: how to continue after an interruption.

    2: what the user can mend; 3: a fault of rnagen; 130: interrupted; 141: nobody reads the output (`| head`);
    143: asked to end (SIGTERM).
    """
    prog, requests = typed(prog), Requests.current()
    replace_unprintable()
    quieten_libraries()
    try:
        with requests.raised():
            code = command()
        sys.stdout.flush()
        return code
    except (KeyboardInterrupt, Terminated) as ending:
        return _ended(prog, type(ending), go_on)
    except Exception as error:
        # What became of a request that was lost may look like any error.
        return _failed(prog, error) if requests.last is None else _ended(prog, requests.last, go_on)
    finally:
        _close_output()


def _ended(prog: str, ending: Ending, go_on: str) -> int:
    was_interrupted = ending is KeyboardInterrupt
    _refuse(prog, "; ".join(filter(None, ["interrupted" if was_interrupted else "asked to end", go_on])))
    return 130 if was_interrupted else 143


def _failed(prog: str, error: Exception) -> int:
    if isinstance(error, InputError | ConfigError):
        return _refuse(prog, error)
    if isinstance(error, BrokenPipeError):
        return 141
    if isinstance(error, OSError):
        remark = "" if isinstance(error, ABSENT) else " (is the folder writable, and the disk not full?)"
        return _refuse(prog, f"{error}{remark}")
    if is_out_of_memory(error):
        detail = one_line(error, 120) or type(error).__name__
        return _refuse(prog, f"out of memory ({detail}): {LESS_MEMORY}")
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    reason = f"{type(error).__name__}: {one_line(error)}"
    _refuse(prog, f"internal error: {reason} (a fault of rnagen; set {TRACEBACK}=1 to see where, and report it)")
    return 3


def replace_unprintable() -> None:
    """Let the console print a replacement for characters that its encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _refuse(prog: str, error: object) -> int:
    print(f"{prog}: {' '.join(str(error).splitlines())}", file=sys.stderr)
    return 2


def _close_output() -> None:
    """Write what is buffered; if it has nowhere to go, drop it, before the interpreter complains of that at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
