"""Progress: a bar on a terminal, plain lines elsewhere, nothing where it is not wanted; by solver steps in sampling."""

import io
import sys
import time
from pathlib import Path

import pytest

from rnagen import progress
from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.sample import main
from rnagen.config.sampling import SampleConfig, SamplerConfig
from rnagen.io.target import make_target
from rnagen.parallel import parallel_map
from rnagen.progress import Share, duration, progress_bar, silenced
from rnagen.sampling.run import SamplingRun
from tests.helpers.tiny import TINY, tiny_model


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def work(seconds: float = 0.2) -> None:
    with progress_bar("sampling", 10) as advance:
        advance(2, "r [1] (14 nt)")
        time.sleep(seconds)


def test_without_a_terminal_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    work(0)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "PAUSE", 0.05)
    work()
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= 4
    assert all(line.startswith("sampling: r [1] (14 nt): 20 %, about ") and line.endswith(" s left") for line in lines)


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    work()
    assert "sampling: r [1] (14 nt)" in sys.stderr.getvalue()
    assert "20%" in sys.stderr.getvalue()


def test_it_is_quiet_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with silenced():
        work(0)
    monkeypatch.setenv("RNAGEN_QUIET", "1")
    work(0)
    assert sys.stderr.getvalue() == ""
    monkeypatch.setenv("RNAGEN_QUIET", "0")
    with silenced(False):
        work(0)
    assert sys.stderr.getvalue() != ""


def test_an_error_ends_the_lines(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(progress, "PAUSE", 0.02)
    with pytest.raises(KeyError), progress_bar("x", 1):
        raise KeyError
    capsys.readouterr()
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_share_is_never_exceeded_and_always_completed() -> None:
    amounts: list[float] = []
    share = Share(lambda amount, now: amounts.append(amount), 10, 4, "x")
    share(3)
    assert sum(amounts) == pytest.approx(7.5)
    share(9)
    assert sum(amounts) == pytest.approx(10)
    share.finish()
    assert sum(amounts) == pytest.approx(10)


@pytest.mark.parametrize(("seconds", "text"), [(4.4, "4 s"), (99, "99 s"), (150, "2 min"), (7200, "2.0 h")])
def test_a_time_is_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_parallel_map_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert dict(parallel_map(len, ["a", "bb"], 1, "measuring")) == {"a": 1, "bb": 2}
    assert "measuring" in sys.stderr.getvalue()


@pytest.mark.parametrize("method", ["euler-maruyama", "rk4", "dopri5"])
def test_sampling_advances_by_steps_of_conformers(method: str, tmp_path: Path) -> None:
    ckpt = tmp_path / "tiny.safetensors"
    save_checkpoint(ckpt, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    options = SampleConfig(
        n=3,
        ckpt=(ckpt,),
        atoms="beads",
        device="cpu",
        sampler=SamplerConfig(sampling_method=method, steps=4, chunk=1),
    )
    job = SamplingRun(options, [make_target("test", "r", "GGGGCUUCGGCCCC")])
    amounts: list[float] = []
    list(job.draw(None, lambda amount, now: amounts.append(amount)))
    total = sum(job.cost(target) for target in job.targets)
    assert total == 3 * 14
    assert sum(amounts) == pytest.approx(total)
    assert max(amounts) < total / 3
    assert len([amount for amount in amounts if amount]) >= 12


def test_the_command_line_names_what_is_in_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TERM", "xterm")
    given = ["--sequence", "GGGGCUUCGGCCCC", "--steps", "2", "--n", "1"]
    for flags, is_quiet in (([], False), (["--quiet"], True)):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        assert main([*given, "--out", str(tmp_path / f"out{is_quiet}"), *flags]) == 0
        assert ("rna (14 nt)" not in terminal.getvalue()) == is_quiet
