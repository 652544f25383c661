"""`rnagen library`: known structures -> a template library, or what a library holds."""

from collections.abc import Sequence

from rnagen.cli.options import guarded, parse
from rnagen.config.library import LibraryConfig
from rnagen.progress import silenced

PROG = "rnagen library"


def main(arguments: Sequence[str]) -> int:
    """Parse, then make or open a library."""
    return guarded(lambda: run(parse(LibraryConfig(), arguments, PROG)), PROG)


def run(config: LibraryConfig) -> int:
    """Make or open a library, and print what is in it and what was left out; returns the exit code.

    Raises:
        InputError: the source cannot be used.
        ConfigError: an option cannot be used.
    """
    # Here and not above: --help answers at once.
    from rnagen.preparation.library import make_library
    from rnagen.templates.library import SHIPPED

    with silenced(config.quiet):
        built = make_library(config)
    print("\n".join(built.lines(config.out or config.source or SHIPPED)))
    return 0
