"""Progress on stderr: a bar on a terminal, a plain line every half minute elsewhere, nothing where none is wanted."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Advance = Callable[[int | float, str], None]
"""(amount done, what is being done)"""
QUIET = "RNAGEN_QUIET"
"""Environment variable with which nothing is printed, unless it is empty or 0."""
PAUSE = 30.0
"""Seconds between two plain lines."""
_silent = False
"""Set by `silenced`."""


def ignore(amount: int | float, now: str) -> None:
    """An `Advance` that does nothing."""


@contextmanager
def silenced(quiet: bool = True) -> Iterator[None]:
    """Print no progress until the block ends, whatever code does the work; without `quiet`, as before."""
    global _silent
    before, _silent = _silent, _silent or quiet
    try:
        yield
    finally:
        _silent = before


def is_quiet() -> bool:
    """Whether no progress is wanted, by `silenced` or by the environment."""
    return _silent or os.environ.get(QUIET, "0") not in ("", "0")


@contextmanager
def progress_bar(title: str, total: int | float) -> Iterator[Advance]:
    """Progress up to `total` with an estimate of the time left; yields the function that advances it."""
    if is_quiet():
        yield ignore
    elif sys.stderr.isatty():
        with _bar(title, total) as advance:
            yield advance
    else:
        with _lines(title, total) as advance:
            yield advance


class Share:
    """Part of a bar that advances in many small steps, whose number need not be known exactly.

    Args:
        advance: of the bar.
        amount: the whole part.
        steps: expected number of steps; further ones do not advance the bar.
        now: what is being done from the first step on.
    """

    def __init__(self, advance: Advance, amount: int | float, steps: int, now: str) -> None:
        self.advance, self.left, self.step, self.now = advance, amount, amount / max(1, steps), now

    def __call__(self, steps: int) -> None:
        """So many steps are done."""
        amount = min(self.left, steps * self.step)
        self.left -= amount
        self.advance(amount, self.now)

    def finish(self) -> None:
        """All is done, in fewer steps perhaps."""
        self.advance(self.left, self.now)
        self.left = 0


@contextmanager
def _bar(title: str, total: int | float) -> Iterator[Advance]:
    # A machine that only trains has no rich.
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(title), total=total)

        def advance(amount: int | float, now: str = title) -> None:
            progress.update(task, advance=amount, description=escape(_what(title, now)))

        yield advance


@contextmanager
def _lines(title: str, total: int | float) -> Iterator[Advance]:
    state, ended = _State(title, total), threading.Event()

    def report() -> None:
        while not ended.wait(PAUSE):
            print(state.line(time.monotonic()), file=sys.stderr, flush=True)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield state.advance
    finally:
        ended.set()
        reporter.join()


@dataclass
class _State:
    """How far something is."""

    title: str
    total: int | float
    done: float = 0.0
    now: str = ""
    started: float = field(default_factory=time.monotonic)

    def advance(self, amount: int | float, now: str = "") -> None:
        self.done += amount
        self.now = now

    def line(self, time_now: float) -> str:
        what = _what(self.title, self.now)
        share = min(1.0, self.done / self.total) if self.total else 1.0
        left = "" if not share else f", about {duration((time_now - self.started) * (1 - share) / share)} left"
        return f"{what}: {100 * share:.0f} %{left}"


def _what(title: str, now: str) -> str:
    """What is being done, in a bar and in a line."""
    return title if now in ("", title) else f"{title}: {now}"


def duration(seconds: int | float) -> str:
    """A time in the unit that suits it: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
