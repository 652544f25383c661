"""`rnagen cache`: lists what rnagen has stored to save time, or clears it."""

from collections.abc import Sequence

from rnagen.caches import KINDS, clear_caches, list_caches
from rnagen.cli.options import guarded, parse
from rnagen.config.cache import CacheConfig
from rnagen.errors import ConfigError
from rnagen.messages import quoted

PROG = "rnagen cache"


def main(arguments: Sequence[str]) -> int:
    """Parse, then list or clear."""
    return guarded(lambda: run(options_of(arguments)), PROG)


def options_of(arguments: Sequence[str]) -> CacheConfig:
    """The options of a command line.

    Raises:
        ConfigError: one does not exist, or a word stands where there is none.
    """
    if arguments and not arguments[0].startswith("-"):
        hint = "`rnagen cache` lists the caches, `rnagen cache --clear [NAME ...]` clears them"
        raise ConfigError(f"{quoted(arguments[0])}: takes no such word ({hint})")
    config: CacheConfig = parse(CacheConfig(), arguments, PROG)
    return config


def run(config: CacheConfig) -> int:
    """Print name, files and size of every cache in the folder, those that are cleared with a word on it.

    Raises:
        ConfigError: a name that is to be cleared does not exist.
    """
    for name in config.clear or ():
        if name not in KINDS:
            raise ConfigError(f"clear: {quoted(name)} is not a cache; choose from {', '.join(KINDS)}")
    found = list_caches(config.cache)
    cleared = () if config.clear is None else config.clear or tuple(KINDS)
    clear_caches(config.cache, cleared)
    print(f"{config.cache}: {'' if found else 'empty'}".rstrip(" "))
    for cache in found:
        end = "cleared" if cache.name in cleared else KINDS[cache.name][1]
        print(f"  {cache.name:<12}{cache.files:>8} files {cache.size / 1e6:>10.1f} MB   {end}")
    return 0
