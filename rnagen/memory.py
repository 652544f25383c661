"""Memory that this process can still take, within the limits of containers and of the shell, and takes again."""

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class _Files:
    """Where one version of Linux's control groups has what."""

    top: str
    limits: tuple[str, ...]
    used: str
    cache: str
    """Line of memory.stat: file cache that the kernel gives back first."""


_VERSION_1 = _Files("sys/fs/cgroup/memory", ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = _Files("sys/fs/cgroup", ("memory.max", "memory.high"), "memory.current", "inactive_file")
_PROCESS_LIMITS = {"Max address space": "VmSize", "Max data size": "VmData"}
"""For each limit in /proc/self/limits the line of /proc/self/status that counts towards it."""


_MOST_MAPPED, _TRIM_ABOVE = -4, -1
"""M_MMAP_MAX and M_TRIM_THRESHOLD of malloc.h."""


def keep_freed_memory() -> None:
    """Have this process use freed memory again instead of returning it to the system.

    A tensor above 32 MiB is otherwise mapped anew each time, and the system fills its pages with zeros: on a CPU that
    took a sixth of a compiled training step. Only the C library of GNU (mallopt(3)) can be asked; others stay as they
    are.
    """
    setting = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if setting is not None:
        setting(_MOST_MAPPED, 0)
        setting(_TRIM_ABOVE, -1)


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that this process can take beside what it has: what is free on the machine (caches count as free), or the
    least that a control group or `ulimit` leaves.

    Args:
        root: folder that has `proc` and `sys`.
    """
    # --help does not wait for psutil.
    import psutil

    left = [psutil.virtual_memory().available, *_left_in_groups(root), *_left_of_limits(root)]
    return max(0, min(left))


def resident_memory() -> int:
    """Bytes that this process has in memory now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def _left_in_groups(root: Path) -> Iterator[int]:
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        files = _VERSION_1 if controllers else _VERSION_2
        top = root / files.top
        folder = top / group.strip("/")
        # A container may know its group by the name outside, while the folder at the top is its own.
        for level in (folder, *(parent for parent in folder.parents if parent.is_relative_to(top))):
            used = _number(_text(level / files.used))
            for limit in (_number(_text(level / name)) for name in files.limits):
                if limit is not None and used is not None:
                    yield limit - used + (_field(level / "memory.stat", files.cache) or 0)


def _left_of_limits(root: Path) -> Iterator[int]:
    limits = _text(root / "proc/self/limits").splitlines()
    for name, counted in _PROCESS_LIMITS.items():
        limit = next((_number(line.removeprefix(name)) for line in limits if line.startswith(name)), None)
        used = _field(root / "proc/self/status", f"{counted}:")
        if limit is not None and used is not None:
            yield limit - 1024 * used


def _text(path: Path) -> str:
    """Contents of a file of the kernel; nothing where this system has none."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    """The first word as a number; None for `max`, `unlimited` and nothing."""
    word = next(iter(text.split()), "")
    return int(word) if word.isdecimal() else None


def _field(path: Path, name: str) -> int | None:
    """The number of the line that starts with that word."""
    rows = (line.split() for line in _text(path).splitlines())
    return next((_number(row[1]) for row in rows if row[:1] == [name] and len(row) > 1), None)


_NO_MEMORY = ("allocate memory", "out of memory", "could not create a primitive")
"""What PyTorch's CPU and the drivers of devices say, which have no class for it; the last is oneDNN."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed, by Python, NumPy or PyTorch on any device; torch is not imported to find out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_MEMORY)
