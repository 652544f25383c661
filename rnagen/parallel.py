"""Functions mapped over many inputs in worker processes that end with this one, at most one item later; one thread."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from rnagen.progress import progress_bar

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, title: str
) -> Iterator[tuple[Item, Result]]:
    """Yield (item, function(item)) as they finish, with a progress bar.

    `function` and `items` must be picklable where `workers` > 1. Items are started in the order given, so put the
    slow ones first.

    Raises:
        Exception: whatever `function` raises; the remaining items are then dropped.
        MemoryError: the system ended a worker, which it does where memory runs out.
    """
    with progress_bar(title, len(items)) as advance:
        for done in _results(function, items, min(workers, len(items))):
            advance(1, title)
            yield done


def _results(function: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[tuple[Item, Result]]:
    if workers <= 1:
        for item in items:
            yield item, function(item)
        return
    others = set(multiprocessing.active_children())
    # A forked copy of a process with threads (progress bar, BLAS) can hang: start fresh ones.
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _follow_the_parent)
    try:
        futures = {executor.submit(function, item): item for item in items}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    except BrokenProcessPool:
        raise MemoryError("a worker process was ended by the system; fewer workers need less") from None
    except BaseException:
        # Ctrl-C or an error: folding for minutes is not waited for.
        executor.shutdown(wait=False, cancel_futures=True)
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    executor.shutdown()


def _follow_the_parent() -> None:
    """End this worker when the process that started it is gone, even by kill -9; an item that holds the interpreter,
    such as a call of ViennaRNA, is finished first."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def single_thread() -> Iterator[None]:
    """One thread of torch until the block ends: small tensors are no faster with more, and rounding does not depend on
    their number."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
