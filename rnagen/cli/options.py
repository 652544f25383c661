"""Command-line options from dataclasses: `--config FILE.yaml` overlays the defaults, flags overlay the file."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import tyro

from rnagen.config.files import load_yaml, overlay
from rnagen.errors import ConfigError, InputError

T = TypeVar("T")


def parse(defaults: T, arguments: Sequence[str], prog: str) -> T:
    """Options of one command.

    Raises:
        ConfigError: the file of `--config` cannot be used, or an option has an impossible value.
        SystemExit: after `--help` (0) or a flag that does not parse (2).
    """
    flags, file = split_config(arguments)
    if file is not None:
        defaults = overlay(defaults, load_yaml(file), str(file))
    return tyro.cli(
        tyro.conf.OmitArgPrefixes[type(defaults)],  # type: ignore[misc]
        prog=prog,
        args=flags,
        default=defaults,
        config=(tyro.conf.OmitSubcommandPrefixes,),
    )


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
