"""The first import of torch in a command."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = """
import gc, threading
from rnagen.imports import quick_imports

with quick_imports():
    assert not gc.isenabled()
    import torch
assert gc.isenabled() and threading.active_count() == 1
frozen = gc.get_freeze_count()
assert frozen > 100_000, frozen
with quick_imports():
    assert gc.isenabled()
assert gc.get_freeze_count() == frozen
"""


def test_imports_are_not_searched_for_garbage_and_what_follows_is() -> None:
    """A second time, when torch is there, nothing is changed: what a program has made since then stays searched."""
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, check=True)


def test_the_library_is_loaded_beside_other_imports() -> None:
    """Where torch has it, as on Linux; a command that fails meanwhile ends all the same."""
    script = """
import sys
from rnagen.imports import LIBRARY, quick_imports

try:
    with quick_imports():
        raise ValueError
except ValueError:
    pass
assert "torch" not in sys.modules
maps = open("/proc/self/maps").read()
assert LIBRARY in maps
"""
    if sys.platform == "linux":
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
