"""rnagen: a flow-matching generative model of RNA 3D structure."""

from typing import TYPE_CHECKING, Any

from rnagen.version import __version__

if TYPE_CHECKING:
    from rnagen.api import sample

__all__ = ["__version__", "sample"]


def __getattr__(name: str) -> Any:
    # torch is imported when something is sampled, not when rnagen is.
    if name == "sample":
        from rnagen.api import sample

        return sample
    raise AttributeError(f"module 'rnagen' has no attribute {name!r}")
