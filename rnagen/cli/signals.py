"""Requests to end a command: SIGINT (Ctrl-C) and SIGTERM.

Python raises an exception wherever the program is, and some places lose it: a destructor, or the callback of a weak
reference, from which nothing can be raised, and C code that makes another error of it. So a request is remembered, and
made again where it was lost.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

AGAIN = 0.01
"""Seconds after which a lost request is made again: by then the place that lost it is behind."""


class Terminated(BaseException):
    """SIGTERM came: the system is shut down, or a cluster wants the machine."""


Ending = type[KeyboardInterrupt] | type[Terminated]
ENDINGS: dict[int, Ending] = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


class Requests:
    """The requests that came while `raised` was active.

    Attributes:
        last: the exception that stands for the last one.
    """

    _active: "ClassVar[Requests | None]" = None

    @classmethod
    def current(cls) -> "Requests":
        """Those of the command that this one is part of, or new ones."""
        return cls._active or cls()

    def __init__(self) -> None:
        self.last: Ending | None = None
        self._numbers: list[int] = []

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Raise the exception of each request until the block ends; where a caller has a handler of its own, or this is
        not the main thread, that is left to it."""
        if self is Requests._active:
            yield
            return
        usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        if threading.current_thread() is threading.main_thread():
            self._numbers = [number for number, handler in usual.items() if signal.getsignal(number) == handler]
        for number in self._numbers:
            signal.signal(number, self._end)
        hook, sys.unraisablehook, Requests._active = sys.unraisablehook, self._lost, self
        try:
            yield
        finally:
            sys.unraisablehook, Requests._active = hook, None
            for number in self._numbers:
                signal.signal(number, usual[number])
            self._numbers = []

    def _end(self, number: int, frame: Any) -> None:
        self.last = ENDINGS[number]
        raise self.last

    def _lost(self, what: Any) -> None:
        """In place of `sys.unraisablehook`, which tells of an exception that nobody can get."""
        number = next((number for number, ending in ENDINGS.items() if what.exc_type is ending), None)
        if number is None:
            sys.__unraisablehook__(what)
            return
        timer = threading.Timer(AGAIN, self._again, [number])
        timer.daemon = True
        timer.start()

    def _again(self, number: int) -> None:
        if number not in self._numbers:
            return
        if hasattr(signal, "pthread_kill"):
            # So that the main thread wakes where it waits.
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        else:
            signal.raise_signal(number)
