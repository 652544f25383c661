"""What a killed process was writing is removed by the next that writes the file; what a live one writes is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnagen.io.files import atomic_write, write_text
from rnagen.io.temporary import remove_leftovers

WRITER = """
import sys
from pathlib import Path
from rnagen.io.files import atomic_write
with atomic_write(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("ends", ["killed", "well"])
def test_a_leftover_is_told_from_a_file_in_work(tmp_path: Path, ends: str) -> None:
    path = tmp_path / "a.txt"
    words = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        write_text(path, "mine")
        assert len(list(tmp_path.glob(".a.txt.*.tmp"))) == 1
        if ends == "killed":
            writer.kill()
        else:
            writer.communicate("\n")
        writer.wait()
    if ends == "well":
        assert path.read_text() == "half"
        assert os.listdir(tmp_path) == ["a.txt"]
        return
    (leftover,) = tmp_path.glob(".a.txt.*.tmp")
    words = [sys.executable, "-c", WRITER, str(path)]
    subprocess.run(words, input="\n", text=True, check=True, stdout=subprocess.DEVNULL)
    assert not leftover.exists()
    assert path.read_text() == "half"


def test_leftovers_of_every_name_are_removed(tmp_path: Path) -> None:
    for name in (".a.txt.abcdefgh.tmp", ".b.abcdefgh.tmp", ".mine.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == [".mine.tmp"]


def test_files_of_others_are_left(tmp_path: Path) -> None:
    """Of another name, of another program, and a link."""
    for name in (".b.txt.abcdefgh.tmp", ".a.txt.tmp", ".a.txt.ABCDEFGH.tmp", "a.txt.abcdefgh.tmp"):
        (tmp_path / name).write_text("precious")
    (tmp_path / ".a.txt.aaaaaaaa.tmp").symlink_to(tmp_path / ".a.txt.tmp")
    before = sorted(os.listdir(tmp_path))
    write_text(tmp_path / "a.txt", "mine")
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "a.txt"])


@pytest.mark.parametrize("call", ["open", "dup", "fsync", "chmod"])
def test_a_signal_at_any_moment_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """It comes right after the system has done its part, before the next line of Python."""
    done = getattr(os, call)

    def interrupted(*given: object) -> None:
        done(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a", "text")
    assert os.listdir(tmp_path) == []


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for ends in (True, False):
        try:
            with atomic_write(tmp_path / "a") as file:
                file.write(b"1")
                if not ends:
                    raise KeyError
        except KeyError:
            pass
    assert len(os.listdir("/dev/fd")) == before
    assert os.listdir(tmp_path) == ["a"]
