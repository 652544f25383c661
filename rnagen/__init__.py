"""rnagen: a flow-matching generative model of RNA 3D structure."""

from typing import TYPE_CHECKING, Any

from rnagen.version import __version__

if TYPE_CHECKING:
    from rnagen.api import (
        compare,
        evaluate,
        library,
        page,
        prepare,
        reactivity,
        sample,
        sample_targets,
        show,
        submit,
        train,
    )

__all__ = [
    "__version__",
    "compare",
    "evaluate",
    "library",
    "page",
    "prepare",
    "reactivity",
    "sample",
    "sample_targets",
    "show",
    "submit",
    "train",
]


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def __getattr__(name: str) -> Any:
    # torch is imported when a function of the API is asked for, not when rnagen is.
    if name in __all__:
        from rnagen import api

        return getattr(api, name)
    raise AttributeError(f"module 'rnagen' has no attribute {name!r}")
