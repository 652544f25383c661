"""Options of `rnagen cache`."""

from dataclasses import dataclass, field
from pathlib import Path

from rnagen.caches import cache_folder


@dataclass(frozen=True)
class CacheConfig:
    """List what rnagen has stored to save time, or clear it. All of it can be made again."""

    cache: Path = field(default_factory=cache_folder)
    """Folder of the caches. RNAGEN_CACHE in the environment sets it for every command."""
    clear: tuple[str, ...] | None = None
    """Remove the caches of these names, or all caches without a name."""
