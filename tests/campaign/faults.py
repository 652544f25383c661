"""What goes wrong in a process: the fault, the moment, and how it is brought about there.

Moments are counted in changes of files (opened for writing, renamed, made, removed) below one folder, which Python
reports to audit hooks. So the moment is drawn from a seed and comes again, however fast the machine is.
"""

import errno
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["none", "kill", "terminate", "interrupt", "disk full", "file cut", "out of memory", "clock back"]
MEMORY = 16 << 20
"""Bytes that a process of little memory may get beyond those of its imports, at most."""
_CHANGES = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Fault:
    """A fault and its moment."""

    kind: Kind
    at: int = 1
    """The change of a file from which on it acts."""
    share: float = 0.0
    """Of what is left to chance beside the moment: the delay of a signal, the bytes that are left."""


def inject(fault: Fault, folder: Path, strike: Callable[[], None]) -> Callable[[], int]:
    """Bring the fault about in this process, which it never leaves again.

    Args:
        fault: what, and when.
        folder: whose files count.
        strike: called at the moment, for faults that come from outside (signals).

    Returns:
        the number of changes so far, when called.
    """
    seen, place = [0], str(folder)
    if fault.kind == "clock back":
        _turn_back_the_clock()
    if fault.kind == "out of memory":
        # From the beginning: what these small commands need they take before their first file.
        _limit_memory(fault.share)

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event not in _CHANGES or not _is_change(event, given) or not _below(given[0], place):
            return
        seen[0] += 1
        if fault.kind == "disk full" and seen[0] >= fault.at and event in ("open", "os.mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(given[0]))
        if seen[0] == fault.at:
            _begin(fault, strike)

    sys.addaudithook(hook)
    return lambda: seen[0]


def _begin(fault: Fault, strike: Callable[[], None]) -> None:
    if fault.kind in ("kill", "terminate", "interrupt"):
        strike()
    elif fault.kind == "file cut":
        # Python ignores the signal that comes with it: the write ends early, with an error.
        left = 1024 + int(fault.share * 4096)
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _limit_memory(share: float) -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = taken + int(share * MEMORY)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _is_change(event: str, given: tuple[Any, ...]) -> bool:
    return event != "open" or bool(isinstance(given[2], int) and given[2] & _WRITES)


def _below(path: object, place: str) -> bool:
    return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(place)


def _turn_back_the_clock() -> None:
    """The time of day runs backwards, by a minute each time that it is asked for."""
    start, asked = time.time(), [0]

    def backwards() -> float:
        asked[0] += 1
        return start - 60.0 * asked[0]

    time.time = backwards
    time.time_ns = lambda: int(1e9 * backwards())
