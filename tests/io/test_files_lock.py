"""One process writes to a folder: the lock is exclusive, and free again after the process that held it is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from rnagen.errors import ConfigError
from rnagen.io.files import LOCK, lock_folder

HOLDER = """
import sys, time
from pathlib import Path
from rnagen.io.files import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(60)
"""


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    with lock_folder(folder):
        with (
            pytest.raises(ConfigError, match="new/run: another rnagen process is writing to this folder"),
            lock_folder(folder),
        ):
            pass
        with lock_folder(tmp_path / "other"):
            pass
    with lock_folder(folder):
        assert [path.name for path in folder.iterdir()] == [LOCK]


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), lock_folder(tmp_path):
        raise KeyError
    with lock_folder(tmp_path):
        pass


def test_a_killed_process_frees_its_lock(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        with pytest.raises(ConfigError, match="another rnagen process"), lock_folder(tmp_path):
            pass
        holder.kill()
    with lock_folder(tmp_path):
        pass


def test_a_file_in_the_place_of_the_folder_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(FileExistsError), lock_folder(tmp_path / "run"):
        pass


def test_a_folder_that_was_made_and_not_used_is_removed(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    for folder in (there, tmp_path / "new"):
        with pytest.raises(KeyError), lock_folder(folder):
            raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    with lock_folder(tmp_path / "used"):
        (tmp_path / "used" / "a").touch()
    assert (tmp_path / "used" / "a").exists()
