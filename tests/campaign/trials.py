"""One trial: a command with a fault, what it leaves, and the same command again, against an undisturbed run.

Each runs in a copy of this process (fork), which has imported everything: before that nothing is written that could be
lost, and the imports would take most of the time.
"""

import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from tests.campaign.commands import Command, Contents
from tests.campaign.faults import Fault, Kind, inject

LONGEST = 600.0
"""Seconds of a process."""
SIGNALS = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "interrupt": signal.SIGINT}
CODES: dict[str, tuple[int, ...]] = {
    "none": (0,),
    "kill": (0, -signal.SIGKILL),
    "terminate": (0, 143, 130),
    "interrupt": (0, 130),
    "disk full": (0, 1, 2),
    "file cut": (0, 1, 2),
    "out of memory": (0, 1, 2),
    "clock back": (0,),
}
"""Exit codes after each fault: done in spite of it, ended by it, some records failed, refused with a reason. 0: the
fault came too late, or was not in the way. A training that a signal ends answers with 130 to both."""
KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "none")


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    """Negative: the signal that killed it."""
    errors: str
    changes: int
    """Of files, as far as it lived to tell."""
    seconds: float


@dataclass(frozen=True)
class Reference:
    """An undisturbed run."""

    contents: Contents
    changes: int
    seconds: float


def run(words: Sequence[str], out: Path, fault: Fault, before: Callable[[], None] = lambda: None) -> Ended:
    """Run a command in a copy of this process, and wait.

    Args:
        words: of the command line.
        out: the folder whose changes count.
        fault: brought about in it.
        before: called in it first, to set what it may do.
    """
    started = time.monotonic()
    child = start(words, out, fault, before)
    code = child.wait(fault)
    errors = child.errors.read_text(errors="replace")
    changes = int(child.told.read_text() or 0) if child.told.is_file() else 0
    return Ended(code, errors, changes, time.monotonic() - started)


@dataclass(frozen=True)
class Child:
    """A process that runs a command."""

    process: int
    struck: int
    """Readable when the moment of its fault has come; at its end if that never came."""
    errors: Path
    told: Path

    def wait(self, fault: Fault) -> int:
        """Strike if the moment comes; its exit code."""
        if os.read(self.struck, 1) and fault.kind in SIGNALS:
            # One half at once, the other up to a tenth of a second later, between two changes of files.
            time.sleep(max(0.0, fault.share - 0.5) * 0.2)
            with suppress(ProcessLookupError):
                os.kill(self.process, SIGNALS[fault.kind])
        os.close(self.struck)
        until = time.monotonic() + LONGEST
        while time.monotonic() < until:
            done, status = os.waitpid(self.process, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        raise TimeoutError(f"process {self.process} did not end in {LONGEST:.0f} s")


def start(words: Sequence[str], out: Path, fault: Fault, before: Callable[[], None] = lambda: None) -> Child:
    """Begin a command in a copy of this process; see `run`."""
    number = f"{time.monotonic_ns()}"
    errors, told = (out.with_name(f"{out.name}.{number}.{kind}") for kind in ("errors", "changes"))
    readable, writable = os.pipe()
    sys.stdout.flush()
    process = os.fork()
    if process:
        os.close(writable)
        return Child(process, readable, errors, told)
    code = 70
    try:
        os.close(readable)
        with open(errors, "wb") as file:
            os.dup2(file.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        tell = os.open(told, os.O_WRONLY | os.O_CREAT)
        before()
        changes = inject(fault, out, lambda: os.write(writable, b"x") and None)
        from rnagen.cli.main import main

        code = main(list(words))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        sys.stderr.flush()
        os.write(tell, str(changes()).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def reference(command: Command, folder: Path) -> Reference:
    """An undisturbed run of a command.

    Raises:
        RuntimeError: it fails.
    """
    out = folder / "whole"
    folder.mkdir()
    command.lay_out(out)
    ended = run(command.begin(out), out, Fault("none"))
    if ended.code:
        raise RuntimeError(f"{command.name}: exit code {ended.code}: {ended.errors}")
    return Reference(command.contents(out), ended.changes, ended.seconds)


def trial(command: Command, whole: Reference, kind: Kind, seed: int, folder: Path) -> tuple[int, str]:
    """(exit code under the fault, what was lost or wrong; empty for nothing) of one fault at a moment of chance."""
    draw = random.Random(f"{command.name} {kind} {seed}")
    fault = Fault(kind, draw.randint(1, whole.changes), draw.random())
    out = folder / "out"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command.lay_out(out)
    ended = run(command.begin(out), out, fault)
    wrong = _wrong(ended, kind)
    if kind not in ("none", "kill"):
        wrong += [f"left {path.name}" for path in sorted(out.rglob(".*")) if path.name.endswith((".tmp", ".part"))]
    return ended.code, "; ".join([*wrong, *resumed(command, whole, out)])


def resumed(command: Command, whole: Reference, out: Path) -> list[str]:
    """What differs from an undisturbed run after the command was run again."""
    again = run(command.resume(out), out, Fault("none"))
    if again.code:
        return [f"run again: exit code {again.code}: {again.errors.strip()[:300]}"]
    found = command.contents(out)
    names = sorted(found.keys() | whole.contents.keys())
    differ = [name for name in names if found.get(name) != whole.contents.get(name)]
    return [f"differs: {name}: {_difference(whole.contents.get(name), found.get(name))}" for name in differ][:5]


def _difference(old: object, new: object) -> str:
    """Where two values part."""
    one, other = str(old), str(new)
    place = next((k for k, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    return f"…{one[max(place - 60, 0) : place + 40]!r}, now …{other[max(place - 60, 0) : place + 40]!r}"


def _wrong(ended: Ended, kind: Kind) -> list[str]:
    """What is wrong with the end of a process."""
    wrong = []
    if ended.code not in CODES[kind]:
        wrong.append(f"exit code {ended.code}: {ended.errors.strip()[-300:]}")
    if "Traceback" in ended.errors or "internal error" in ended.errors:
        wrong.append(f"not a message for users: {ended.errors.strip()[-300:]}")
    return wrong
