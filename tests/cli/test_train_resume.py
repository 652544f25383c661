"""train.py --ckpt last.ckpt: the run goes on with its own options, and nothing of it is lost when it cannot."""

import shutil
from pathlib import Path

import pytest
import torch

from rnagen.checkpoints.structure import load_checkpoint
from rnagen.cli.train import main
from rnagen.config.files import load_yaml
from rnagen.tasks.structure.data import RNADataModule
from rnagen.training.callbacks import MetricsWriter
from tests.helpers.training import assert_same, weights

SHORT = ("--epochs", "2", "--train-batches", "2", "--no-validate", "--path-type", "GVP")


@pytest.fixture
def begun(train, tmp_path: Path) -> Path:
    """The state of a run with one of its two epochs done, and with options that are not the defaults."""
    assert train("run", *SHORT, "--epochs", "1") == 0
    return tmp_path / "run" / "last.ckpt"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bare_state_goes_on_as_the_run_began(train, begun: Path, tmp_path: Path) -> None:
    assert train("whole", *SHORT) == 0
    assert main(["--ckpt", str(begun), "--epochs", "2"]) == 0
    assert_same(weights(begun.parent), weights(tmp_path / "whole"))
    recorded = load_yaml(begun.parent / "config.yaml")
    whole = load_yaml(tmp_path / "whole" / "config.yaml")
    assert recorded == {**whole, "run_name": "run", "ckpt": str(begun)}
    assert load_checkpoint(begun.with_suffix(".safetensors")).config.transport.path_type == "GVP"


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--path-type", "VP"), "path_type: the run has GVP, VP was given: a resumed run keeps it"),
        (("--embed-dim", "64"), "embed_dim: the run has 32, 64 was given: a resumed run keeps it"),
        (("--task", "confidence"), "task: the run has structure, confidence was given: a resumed run keeps it"),
        (("--run-name", "full"), "full holds a run: resume it with --ckpt "),
    ],
)
def test_what_may_not_change_is_one_line_and_changes_nothing(
    train, begun: Path, capsys, flags: tuple[str, ...], line: str
) -> None:
    assert train("full", *SHORT, "--epochs", "1") == 0
    before = contents(begun.parent)
    capsys.readouterr()
    assert main(["--ckpt", str(begun), "--epochs", "2", *flags]) == 2
    found = capsys.readouterr().err
    assert found.count("\n") == 1
    assert line in found
    assert contents(begun.parent) == before


def test_options_of_a_file_are_refused_too(begun: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "options.yaml"
    file.write_text(f"ckpt: {begun}\nlr: 0.5\nepochs: 2\n")
    assert main(["--config", str(file)]) == 2
    assert "lr: the run has 0.001, 0.5 was given" in capsys.readouterr().err


def test_nothing_is_overwritten_before_the_start(begun: Path, capsys) -> None:
    """A state that fits by its shapes, whose optimizer cannot be restored."""
    saved = torch.load(begun, weights_only=True)
    torch.save({**saved, "optimizer_states": [{"state": {}, "param_groups": []}]}, begun)
    before = contents(begun.parent)
    assert main(["--ckpt", str(begun), "--epochs", "2"]) == 2
    assert "a run cannot go on from it" in capsys.readouterr().err
    assert contents(begun.parent) == before


def test_other_data_in_the_place_of_the_run_s_are_refused(begun: Path, capsys, monkeypatch) -> None:
    """As the sample would be, from a folder from which a relative path leads nowhere."""
    monkeypatch.setattr(RNADataModule, "contents_hash", "of others")
    before = contents(begun.parent)
    assert main(["--ckpt", str(begun), "--epochs", "2"]) == 2
    assert "data: the run to be resumed was trained on other data than there are now" in capsys.readouterr().err
    assert contents(begun.parent) == before


def test_the_folder_of_a_run_is_its_state(begun: Path) -> None:
    assert main(["--ckpt", str(begun.parent), "--epochs", "2"]) == 0
    assert load_checkpoint(begun.with_suffix(".safetensors")).metadata["step"] == 4
    assert load_yaml(begun.parent / "config.yaml")["ckpt"] == str(begun)


def test_a_run_goes_on_in_another_folder(begun: Path, tmp_path: Path) -> None:
    before = contents(begun.parent)
    assert main(["--ckpt", str(begun), "--epochs", "2", "--run-name", "fork"]) == 0
    assert contents(begun.parent) == before
    assert load_checkpoint(tmp_path / "fork" / "last.safetensors").metadata["step"] == 4


def test_a_run_that_was_moved_goes_on_where_it_is(begun: Path, tmp_path: Path) -> None:
    moved = begun.parent.rename(tmp_path / "elsewhere")
    assert main(["--ckpt", str(moved / "last.ckpt"), "--epochs", "2"]) == 0
    assert load_checkpoint(moved / "last.safetensors").metadata["step"] == 4
    assert not begun.parent.exists()


@pytest.mark.parametrize("flags", [(), ("--fresh-schedule",), ("--epochs", "1"), ("--run-name", "fork")])
def test_a_finished_run_needs_more_epochs(begun: Path, tmp_path: Path, capsys, flags: tuple[str, ...]) -> None:
    before = contents(tmp_path)
    capsys.readouterr()
    assert main(["--ckpt", str(begun), *flags]) == 0
    line = "warning: epochs: 1 are 2 steps, and 2 are done: no step is left (needs more --epochs)\n"
    assert capsys.readouterr().err == line
    assert contents(tmp_path) == before


def test_a_schedule_of_a_new_run_is_fresh_anyway(train, capsys) -> None:
    assert train("a", *SHORT, "--fresh-schedule") == 0
    assert "warning: fresh_schedule: no effect on a run that is not resumed\n" in capsys.readouterr().err


def test_a_validation_leaves_the_options_of_the_run(begun: Path) -> None:
    before = (begun.parent / "config.yaml").read_bytes()
    assert main(["--ckpt", str(begun), "--validate-only"]) == 0
    assert (begun.parent / "config.yaml").read_bytes() == before


def test_a_fresh_schedule_warms_up_again(train, tmp_path: Path) -> None:
    flags = ("--epochs", "1", "--train-batches", "4", "--no-validate", "--lr-warmup", "4")
    assert train("run", *flags) == 0
    state = tmp_path / "run" / "last.ckpt"
    for name, more in (("plain", ()), ("fresh", ("--fresh-schedule",))):
        assert main(["--ckpt", str(state), "--epochs", "2", "--run-name", name, "--max-time", "1:0:0:0", *more]) == 0
    plain, fresh = (torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("plain", "fresh"))
    assert [one["lr_schedulers"][0]["start"] for one in (plain, fresh)] == [0, 4]
    assert not all(torch.equal(fresh["state_dict"][name], value) for name, value in plain["state_dict"].items())
    # A later resume goes on with the schedule that has begun.
    assert main(["--ckpt", str(tmp_path / "fresh" / "last.ckpt"), "--epochs", "3"]) == 0
    again = torch.load(tmp_path / "fresh" / "last.ckpt", weights_only=True)
    assert again["lr_schedulers"][0]["start"] == 4


@pytest.mark.slow
@pytest.mark.parametrize("validate", ["--validate", "--no-validate"])
def test_a_run_is_validated_after_a_resume_as_without_one(train, tmp_path: Path, validate: str) -> None:
    """Steps and epochs count on."""
    flags = ("--train-batches", "3", "--val-epoch-freq", "2", "--keep-freq", "1", validate)
    assert train("whole", *flags, "--epochs", "5") == 0
    for epochs in ("1", "3", "5"):
        state = () if epochs == "1" else ("--ckpt", tmp_path / "parts" / "last.ckpt")
        assert train("parts", *flags, *state, "--epochs", epochs) == 0
    whole, parts = (tmp_path / name for name in ("whole", "parts"))
    assert_same(weights(whole), weights(parts))
    found = [sorted(path.name for path in folder.glob("step_*")) for folder in (whole, parts)]
    assert found[0] == found[1]
    assert len(found[0]) == 2 * 5
    if validate == "--validate":
        assert (whole / "metrics.jsonl").read_text() == (parts / "metrics.jsonl").read_text()


def test_batches_accumulate_after_a_resume_as_without_one(train, tmp_path: Path) -> None:
    flags = ("--train-batches", "4", "--accumulate-grad", "2", "--no-validate")
    assert train("whole", *flags, "--epochs", "2") == 0
    assert train("parts", *flags, "--epochs", "1") == 0
    assert main(["--ckpt", str(tmp_path / "parts" / "last.ckpt"), "--epochs", "2"]) == 0
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


@pytest.fixture
def moved(train, data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The state of a run, of one of two epochs, whose data have moved; and the folder where they are now."""
    before, now = tmp_path / "before", tmp_path / "now"
    shutil.copytree(data, before)
    places = ("--data", before / "data", "--splits", before)
    assert train("run", *SHORT, *places, "--epochs", "1") == 0
    before.rename(now)
    return tmp_path / "run" / "last.ckpt", now


def test_data_that_have_moved_are_named_anew(train, moved: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    state, now = moved
    assert main(["--ckpt", str(state), "--epochs", "2"]) == 2
    hint = "no such file or folder: if the data of the run have moved, name them by --data NEW"
    assert capsys.readouterr().err == f"train.py: data: {tmp_path / 'before' / 'data'}: {hint}\n"
    places = ["--data", str(now / "data"), "--splits", str(now)]
    assert main(["--ckpt", str(state), "--epochs", "2", *places]) == 0
    assert train("whole", *SHORT) == 0
    assert_same(weights(state.parent), weights(tmp_path / "whole"))
    # From now on they are there.
    assert main(["--ckpt", str(state), "--epochs", "3"]) == 0


def test_splits_with_other_chains_are_other_data(moved: tuple[Path, Path], capsys) -> None:
    state, now = moved
    table = now / "train.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    before = contents(state.parent)
    assert main(["--ckpt", str(state), "--epochs", "2", "--data", str(now / "data"), "--splits", str(now)]) == 2
    words = (
        "the run to be resumed was trained on other data than there are now: name those that it began with by --data"
    )
    assert words in capsys.readouterr().err
    assert contents(state.parent) == before


def test_a_run_goes_on_from_any_working_directory(train, data: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    shutil.copytree(data, tmp_path / "here")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert train("run", *SHORT, "--epochs", "1", "--data", "data", "--splits", ".") == 0
    monkeypatch.chdir(tmp_path / "there")
    capsys.readouterr()
    for epochs in "23":
        assert main(["--ckpt", "../run/last.ckpt", "--epochs", epochs]) == 0
    assert "sample of public chains" not in capsys.readouterr().out
    recorded = load_yaml(tmp_path / "run" / "config.yaml")
    assert recorded["data"] == str(tmp_path / "here" / "data")
    assert Path(recorded["ckpt"]).is_absolute()


VALIDATED = ("--epochs", "2", "--train-batches", "2", "--val-epoch-freq", "1", "--keep-freq", "1")


@pytest.mark.parametrize("validation", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_validation_that_was_killed_is_made_up_for(
    train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validation: int
) -> None:
    """The state is saved before it: a run that went on from there would have lacked it, and the best weights; after the
    last step it would not have gone on at all."""
    assert train("whole", *VALIDATED) == 0
    begun: list[None] = []

    def killed(self: MetricsWriter, *given: object) -> None:
        begun.append(None)
        if len(begun) == validation:
            raise KeyboardInterrupt
        write(self, *given)

    write = MetricsWriter.on_validation_end
    with monkeypatch.context() as patch:
        patch.setattr(MetricsWriter, "on_validation_end", killed)
        assert train("run", *VALIDATED) == 130
    assert main(["--ckpt", str(tmp_path / "run" / "last.ckpt")]) == 0
    one, other = tmp_path / "whole", tmp_path / "run"
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()
    for name in sorted(path.name for path in one.glob("*.safetensors")):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
