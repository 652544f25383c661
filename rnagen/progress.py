"""A progress bar on a terminal; nothing elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int | float, str], None]
"""(amount done, what is being done)"""


@contextmanager
def progress_bar(title: str, total: int | float) -> Iterator[Advance]:
    """A bar on stderr with an estimate of the time left; yields the function that advances it."""
    # A machine that only trains has no rich.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)

        def advance(amount: int | float, now: str = title) -> None:
            progress.update(task, advance=amount, description=now)

        yield advance
