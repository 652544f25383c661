"""The folder of a run that came from somebody else: nothing is written, removed or read outside it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.main import main
from rnagen.errors import InputError
from rnagen.sampling.claim import check_places
from tests.helpers.outputs import contents
from tests.helpers.tiny import TINY, tiny_model


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder beside the output."""
    place = tmp_path / "victim"
    place.mkdir()
    (place / "summary.json").write_text("{}")
    (place / "precious").write_text("precious")
    return place


@pytest.fixture
def sample(tmp_path: Path) -> Callable[..., int]:
    save_checkpoint(tmp_path / "tiny.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})

    def call(*flags: str) -> int:
        given = ["--ckpt", str(tmp_path / "tiny.safetensors"), "--sequence", "GGGAAACCC", "--name", "a", "--steps", "2"]
        return main(["sample", *given, "--out", str(tmp_path / "out"), "--device", "cpu", *flags])

    return call


def test_a_run_json_cannot_name_a_folder_elsewhere(sample, victim: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert sample("--n", "1") == 0
    before = contents(tmp_path)
    described = json.loads((out / "run.json").read_text())
    for place in ("../victim", str(victim), "..", ".", "", "a/../../victim", "nul", 3):
        described["targets"][0]["folder"] = place
        (out / "run.json").write_text(json.dumps(described))
        for command in (
            lambda: sample("--n", "2"),
            lambda: main(["report", str(out), "--figures", str(tmp_path / "f")]),
        ):
            capsys.readouterr()
            assert command() == 2
            (line,) = capsys.readouterr().err.strip().splitlines()
            assert "run.json: a: its folder" in line
            assert "is not the name of one" in line
    after = contents(tmp_path)
    assert {**after, "out/run.json": b""} == {**before, "out/run.json": b""}


def test_a_target_that_is_a_link_is_refused(sample, victim: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert sample("--n", "1") == 0
    (out / "a").rename(tmp_path / "moved")
    (out / "a").symlink_to(victim)
    before = contents(victim)
    assert sample("--n", "2") == 2
    assert "a: is a link" in capsys.readouterr().err
    assert main(["report", str(out)]) == 2
    assert contents(victim) == before


def test_links_that_are_overwritten_lose_the_link_and_not_its_goal(sample, victim: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert sample("--n", "1") == 0
    for name in ("report.html", "submission.csv"):
        (out / name).unlink()
        (out / name).symlink_to(victim / "precious")
    (out / "linked").symlink_to(victim)
    assert sample("--n", "2") == 0
    assert not (out / "submission.csv").is_symlink()
    assert sample("--n", "2", "--overwrite", "--seed", "5") == 0
    assert (victim / "precious").read_text() == "precious"
    assert (victim / "summary.json").read_text() == "{}"


def test_entries_without_a_folder_are_for_others_to_refuse(tmp_path: Path) -> None:
    check_places(tmp_path, [{"name": "a"}, 3])
    check_places(tmp_path, None)
    with pytest.raises(InputError, match="targets: its folder"):
        check_places(tmp_path, [{"folder": None}])
