"""Commands that are asked to end."""

import os
import signal
import time
import weakref

import pytest

from rnagen.cli.options import guarded

SIGNALS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "asked to end")]


@pytest.fixture(autouse=True)
def interruptible():
    """A shell lets the processes that it puts into the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_request_to_end_is_a_line_and_cleans_up(capsys: pytest.CaptureFixture[str]) -> None:
    """SIGTERM, as of `kill` or a cluster, unwinds like Ctrl-C; a handler of the caller's own stays in force."""
    unwound, before = [], signal.getsignal(signal.SIGTERM)

    def command() -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError("nobody was asked")
        finally:
            unwound.append(True)

    assert before == signal.SIG_DFL
    assert guarded(command, "sample.py") == 143
    assert capsys.readouterr().err == "sample.py: asked to end\n"
    assert unwound
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        assert guarded(lambda: os.kill(os.getpid(), signal.SIGTERM) or 0, "sample.py") == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert asked == [signal.SIGTERM]


class Watched:
    """Something that weak references can be made to."""


@pytest.mark.parametrize(("number", "code", "words"), SIGNALS)
def test_a_request_that_nobody_could_hear_is_made_again(number, code, words, capsys) -> None:
    """The callback of a weak reference cannot raise anything: Python drops its exceptions."""

    def command() -> int:
        watched = Watched()
        reference = weakref.ref(watched, lambda _: os.kill(os.getpid(), number))
        del watched
        assert reference() is None
        time.sleep(5)
        raise AssertionError("the request was lost")

    assert guarded(command, "rnagen report") == code
    assert capsys.readouterr().err == f"rnagen report: {words}\n"


@pytest.mark.parametrize(("number", "code", "words"), SIGNALS)
def test_a_request_that_became_another_error_is_told_as_what_it_was(number, code, words, capsys) -> None:
    def command() -> int:
        try:
            os.kill(os.getpid(), number)
        except BaseException:
            raise ValueError("Invalid bounding box") from None
        return 0

    assert guarded(command, "rnagen report") == code
    assert capsys.readouterr().err == f"rnagen report: {words}\n"
    assert guarded(lambda: guarded(command, "rnagen report"), "rnagen") == code
    assert capsys.readouterr().err == f"rnagen report: {words}\n"


def test_other_errors_that_python_drops_are_told_as_ever(capsys) -> None:
    def command() -> int:
        watched = Watched()
        reference = weakref.ref(watched, lambda _: 1 / 0)
        del watched
        return int(reference() is not None)

    assert guarded(command, "rnagen report") == 0
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_request_at_a_fault_of_rnagen_leaves_no_trace_for_the_next_command(capsys) -> None:
    def command() -> int:
        raise ValueError("a fault")

    assert guarded(lambda: os.kill(os.getpid(), signal.SIGTERM) or 0, "sample.py") == 143
    assert guarded(command, "sample.py") == 3
    assert "internal error: ValueError: a fault" in capsys.readouterr().err
