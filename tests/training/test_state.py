"""Training states: written whole, and what is none is refused in one line, without being executed."""

import errno
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.demos.boring_classes import BoringModel

from rnagen.cli.train import main
from rnagen.errors import ConfigError, InputError
from rnagen.training.state import StateFile, check_state, restoring


class Harmful:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "text")
    return buffer.getvalue()


def of_lightning(folder: Path) -> bytes:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = L.Trainer(max_steps=1, accelerator="cpu", enable_checkpointing=False, limit_val_batches=0, **quiet)
    trainer.fit(BoringModel())
    trainer.save_checkpoint(folder / "other.ckpt", weights_only=False)
    return (folder / "other.ckpt").read_bytes()


@pytest.mark.parametrize("kind", ["structure", "reactivity", "confidence"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"\x80\x02garbage",
        saved({"a": torch.zeros(1000)})[:-100],
        saved({"a": torch.zeros(1000)})[:100],
        saved([1, 2]),
        saved({"state_dict": {}}),
        pickle.dumps({"a": 1}),
        zipped(),
    ],
    ids=["empty", "text", "garbage", "truncated", "a beginning", "a list", "a part", "a pickle", "a zip file"],
)
def test_what_is_no_state_is_refused(tmp_path: Path, capsys, content: bytes, kind: str) -> None:
    (tmp_path / "last.ckpt").write_bytes(content)
    assert_refused(tmp_path, capsys, "last.ckpt: ", "--task", kind)


def test_another_program_is_refused(tmp_path: Path, capsys) -> None:
    (tmp_path / "last.ckpt").write_bytes(of_lightning(tmp_path))
    assert_refused(tmp_path, capsys, "last.ckpt: is not a training state of rnagen")


def test_nothing_is_executed(tmp_path: Path, capsys) -> None:
    (tmp_path / "last.ckpt").write_bytes(saved(Harmful(tmp_path / "harm")))
    assert_refused(tmp_path, capsys, "last.ckpt: cannot be read as a training state")
    assert not (tmp_path / "harm").exists()


def assert_refused(folder: Path, capsys, words: str, *flags: str) -> None:
    task = flags[1] if flags else "structure"
    (folder / "config.yaml").write_text(f"task: {task}\naccelerator: cpu\n")
    assert main([*flags, "--run-dir", str(folder / "runs"), "--ckpt", str(folder / "last.ckpt")]) == 2
    line = capsys.readouterr().err
    assert words in line
    assert line.count("\n") == 1
    assert len(line) <= 500
    assert not (folder / "runs").exists()


def test_a_state_of_another_module(tmp_path: Path) -> None:
    parts = {"optimizer_states": [], "lr_schedulers": [], "loops": {}, "callbacks": {"CheckpointWriter": {}}}
    state = {**parts, "global_step": 1, "epoch": 0, "state_dict": torch.nn.Linear(2, 3).state_dict()}
    StateFile().save_checkpoint(state, tmp_path / "last.ckpt")
    check_state(tmp_path / "last.ckpt", torch.nn.Linear(2, 3))
    for other, tensor in ((torch.nn.Linear(3, 2), "weight"), (torch.nn.Linear(2, 3, bias=False), "bias")):
        with pytest.raises(
            ValueError, match=rf"last\.ckpt: {tensor}: is the state of a model of another task or shape"
        ):
            check_state(tmp_path / "last.ckpt", other)


def test_errors_before_the_start_are_those_of_the_state() -> None:
    for error in (KeyError("a"), TypeError("b"), ValueError("c")):
        with pytest.raises(InputError, match=r"last\.ckpt: a run cannot go on from it: "):
            fail(error, Path("last.ckpt"), False)
        with pytest.raises(type(error), match=r"^(?!last)"):
            fail(error, Path("last.ckpt"), True)
        with pytest.raises(type(error), match=r"^(?!last)"):
            fail(error, None, False)
    with pytest.raises(ConfigError, match=r"^an option$"):
        fail(ConfigError("an option"), Path("last.ckpt"), False)


def fail(error: Exception, state: Path | None, started: bool) -> None:
    with restoring(state, lambda: started):
        raise error


def test_a_full_disk_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    StateFile().save_checkpoint({"a": 1}, path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        StateFile().save_checkpoint({"a": 2}, path)
    assert torch.load(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
