"""Imports of a command that ends soon."""

import ctypes
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

LIBRARY = "libtorch_cpu.so"
"""The largest of torch's libraries, on Linux; others need it."""


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import torch for the first time, and what needs it, in less time: until the block ends no garbage is searched
    for, of which imports leave hardly any, and the library of torch is loaded in a thread, beside what comes before
    torch. What is there at the end of the block is never searched for garbage, not even when the process ends."""
    found = None if "torch" in sys.modules else find_spec("torch")
    if found is None:
        yield
        return
    loading = Thread(target=_load_library, args=(found.submodule_search_locations or [],))
    loading.start()
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
        # A process cannot end while it loads a library.
        loading.join()


def _load_library(folders: Sequence[str]) -> None:
    """Load `LIBRARY`, if torch has it; the import of torch then finds it loaded."""
    for path in (Path(folder, "lib", LIBRARY) for folder in folders):
        if path.is_file():
            ctypes.CDLL(str(path))
