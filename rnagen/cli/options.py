"""Command-line options from dataclasses: `--config FILE.yaml` replaces defaults, flags replace both."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tyro

from rnagen.config.files import RENAMED_VALUES, current_name, load_config, load_yaml
from rnagen.errors import ConfigError, InputError


def parse(options: Any, arguments: Sequence[str], prog: str) -> Any:
    """Options of one command.

    Args:
        options: their defaults; or the class, for a command with arguments that have none.
        arguments: of the command line.
        prog: name of the command, for messages.

    Raises:
        ConfigError: the file of `--config` cannot be used, or an option has an impossible value.
        SystemExit: after `--help` (0) or a flag that cannot be parsed (2).
    """
    flags, file = split_config(arguments)
    if isinstance(options, type):
        flags = current_flags(options, flags, prog)
        return tyro.cli(options, prog=prog, args=flags)
    if file is not None:
        values = load_yaml(file)
        for name in values:
            _warn_if_renamed(options, name, str(file))
        options = load_config(options, values, str(file))
    flags = current_flags(options, flags, prog)
    return tyro.cli(
        tyro.conf.OmitArgPrefixes[type(options)],  # type: ignore[misc]
        prog=prog,
        args=flags,
        default=options,
        config=(tyro.conf.OmitSubcommandPrefixes,),
    )


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


def guarded(command: Callable[[], int], prog: str) -> int:
    """Run a command; what the user can mend is one line on stderr and exit code 2, never a traceback."""
    try:
        return command()
    except (InputError, ConfigError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return 130
