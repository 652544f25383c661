"""Runs side by side: options, metrics, paired gains, curves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import rnagen
from rnagen.cli.main import main
from rnagen.errors import ConfigError, InputError
from rnagen.report.compare import comparison, paired_gain
from rnagen.report.curves import curve
from rnagen.report.runs import UNIMPORTANT, read_run, read_runs, settings_of

SEEDS, TARGETS = 3, 12


def write_run(folder: Path, scores: np.ndarray, seed: int = 0, **options: Any) -> Path:
    """A run with two validations of the given last scores, one for each target."""
    folder.mkdir(parents=True)
    config = {"task": "structure", "lr": 0.001, "seed": seed, "run_name": folder.name, **options}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    lines = []
    for step, values in ((10, scores / 2), (20, scores)):
        targets = [{"id": f"t{k}", "length": 30, "tm_best5": value} for k, value in enumerate(values.tolist())]
        means = {"val/tm_best5": float(values.mean()), "val/tm_helix": 0.1}
        lines.append(json.dumps({"step": step, "epoch": 0, **means, "targets": targets}))
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three seeds of two settings; the second is better by 0.05 on average."""
    rng = np.random.default_rng(0)
    base = rng.uniform(0.1, 0.4, (SEEDS, TARGETS))
    better = base + 0.05 + rng.normal(0, 0.01, base.shape)
    found = [write_run(tmp_path / f"base{seed}", base[seed], seed) for seed in range(SEEDS)]
    return found + [write_run(tmp_path / f"high{seed}", better[seed], seed, lr=0.01) for seed in range(SEEDS)]


def test_gains_are_paired_by_seed_and_target(runs: list[Path]) -> None:
    found, errors = read_runs(runs)
    first, second = settings_of(found)
    assert not errors
    assert (first.name, second.name, second.seeds) == ("lr 0.001", "lr 0.01", [0, 1, 2])
    gain = paired_gain(second, first, "val/tm_best5")
    assert gain is not None
    assert gain.gains.shape == (SEEDS, TARGETS)
    low, high = gain.over_both()
    assert 0.03 < low < gain.mean < high < 0.07
    lines = comparison(found)
    assert lines[0] == "6 runs of 2 settings; they differ in: lr"
    assert lines[-1].startswith(
        f"| lr 0.01 | tm_best5 | higher | {gain.mean:+.4f} [{low:+.4f}, {high:+.4f}] | 3 | 12 |"
    )
    assert "| lr 0.001 | base0, base1, base2 | 0, 1, 2 | 20 |" in lines[4]


def test_without_a_common_seed_or_target(runs: list[Path], tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", np.full(TARGETS, 0.5), seed=9, lr=0.5)
    first, second = settings_of(read_runs([*runs[:3], other])[0])
    gain = paired_gain(second, first, "val/tm_best5")
    assert gain is not None
    assert gain.gains.shape == (1, TARGETS)
    assert comparison(read_runs([*runs[:3], other])[0])[-1].endswith("| none in common | 12 |")
    file = other / "metrics.jsonl"
    file.write_text(file.read_text().replace('"t', '"u'))
    renamed = settings_of([read_run(runs[0]), read_run(other)])[1]
    assert paired_gain(renamed, first, "val/tm_best5") is None


def test_a_run_without_targets_is_compared_by_its_means(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name, np.full(2, score), lr=score) for name, score in (("a", 0.2), ("b", 0.3))]
    for folder, mae in zip(folders, (0.2, 0.1)):
        (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, "val/mae": mae}) + "\n")
    lines = comparison(read_runs(folders)[0])
    assert lines[-1] == "| lr 0.3 | mae | lower | +0.1000 | 1 | 1 |"


def test_a_gain_is_better_whichever_way_the_metric_counts(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name, np.full(2, score), lr=score) for name, score in (("a", 0.2), ("b", 0.3))]
    for folder, flow in zip(folders, (1.2116, 1.2121)):
        (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, "val/flow_bin1": flow, "val/one_minus_tm": flow}))
    lines = comparison(read_runs(folders)[0])
    assert "gain [95 %] (above zero is better)" in lines[-4]
    assert lines[-2] == "| lr 0.3 | flow_bin1 | lower | -0.0005 | 1 | 1 |"
    assert lines[-1] == "| lr 0.3 | one_minus_tm | neither | +0.0005 (difference) | 1 | 1 |"


def test_a_resumed_run_counts_a_step_once_and_is_the_same_setting(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "whole", np.full(2, 0.2), ckpt=None)
    parts = write_run(tmp_path / "parts", np.full(2, 0.3), seed=1, ckpt=str(tmp_path / "parts/last.ckpt"))
    file = parts / "metrics.jsonl"
    file.write_text(file.read_text() * 2)
    run = read_run(parts)
    assert curve(run, "val/tm_best5")[0].tolist() == [10, 20]
    assert len(settings_of([read_run(whole), run])) == 1


@pytest.mark.parametrize("name", sorted(UNIMPORTANT))
def test_what_is_recorded_or_where_is_no_setting(tmp_path: Path, name: str) -> None:
    runs = [write_run(tmp_path / str(k), np.full(2, 0.2), seed=k) for k in range(2)]
    file = runs[1] / "config.yaml"
    file.write_text(f"{file.read_text()}{name}: 7\n" if name != "seed" else file.read_text())
    assert len(settings_of([read_run(run) for run in runs])) == 1


@pytest.mark.parametrize(("hashed", "settings"), [("a", 1), ("b", 2), ("", 2)])
def test_data_are_the_same_if_their_contents_are(tmp_path: Path, hashed: str, settings: int) -> None:
    places = [{"data": f"{k}/data", "splits": f"{k}/splits"} for k in range(2)]
    runs = [write_run(tmp_path / str(k), np.full(2, 0.2), seed=k, **places[k]) for k in range(2)]
    for run, value in zip(runs, ("a", hashed)):
        if value:
            (run / "last.json").write_text(json.dumps({"data": {"contents_hash": value}}))
    found = settings_of(read_runs(runs)[0])
    assert len(found) == settings
    assert found[-1].name == ("0" if settings == 1 else "data 1/data, splits 1/splits")


def test_longer_runs_are_another_setting(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(k), np.full(2, 0.2), seed=k, epochs=k) for k in range(2)]
    assert len(settings_of([read_run(run) for run in runs])) == 2


def test_the_command_prints_draws_and_names_what_it_leaves_out(runs: list[Path], tmp_path: Path, capsys) -> None:
    picture = tmp_path / "figures" / "curves.svg"
    assert main(["compare", *map(str, runs), "--out", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert f"learning curves: {picture}" in printed
    once = picture.read_bytes()
    assert b"lr 0.01" in once
    assert main(["compare", *map(str, runs), "--out", str(picture)]) == 0
    assert picture.read_bytes() == once

    bad = write_run(tmp_path / "bad", np.ones(2))
    (bad / "metrics.jsonl").write_text("[1]\n{")
    other = write_run(tmp_path / "other", np.ones(2))
    (other / "metrics.jsonl").write_text('{"step": 1, "val/mae": 0.1}\n')
    begun = write_run(tmp_path / "begun", np.ones(2))
    (begun / "metrics.jsonl").unlink()
    file = tmp_path / "small.sh"
    file.write_text("")
    capsys.readouterr()
    assert main(["compare", str(runs[0]), *map(str, (bad, other, begun, file, tmp_path / "absent"))]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("rnagen compare: left out: ") for line in lines)
    for line, words in zip(lines, ("is not a record of validations", "shares no metric with", "has not validated")):
        assert words in line


def test_nothing_to_compare_and_another_format_are_one_line(tmp_path: Path, capsys) -> None:
    assert main(["compare", str(tmp_path)]) == 2
    assert "runs: none can be compared" in capsys.readouterr().err.splitlines()[-1]
    assert main(["compare", str(tmp_path), "--out", "a.pdf"]) == 2
    assert "out: a.pdf cannot be used (expected a name that ends with .svg, .png or .md)" in capsys.readouterr().err


def test_a_folder_of_runs_is_enough_and_what_is_no_run_is_no_matter(tmp_path: Path, capsys) -> None:
    for seed in range(2):
        write_run(tmp_path / "runs" / str(seed), np.full(2, 0.2), seed)
    (tmp_path / "runs" / "small.sh").touch()
    (tmp_path / "runs" / "encoded").mkdir()
    (tmp_path / "runs" / "bare_gpu").mkdir()
    assert main(["compare", str(tmp_path / "runs")]) == 0
    whole = capsys.readouterr()
    assert "2 runs of 1 settings" in whole.out
    assert main(["compare", *map(str, sorted((tmp_path / "runs").iterdir()))]) == 0
    assert capsys.readouterr() == whole
    assert whole.err == ""
    assert main(["compare", str(tmp_path / "runs" / "encoded"), str(tmp_path / "runs" / "small.sh")]) == 2
    assert "runs: none can be compared (name folders of trainings, as runs/mine); " in capsys.readouterr().err
    assert main(["compare", str(tmp_path / "runs" / "0"), str(tmp_path / "runs" / "absent")]) == 1
    assert "absent" in capsys.readouterr().err


def test_the_function_is_the_command(runs: list[Path], tmp_path: Path, capsys) -> None:
    assert main(["compare", *map(str, runs), "--out", str(tmp_path / "cli.md")]) == 0
    printed = capsys.readouterr().out
    found = rnagen.compare(map(str, runs), out=tmp_path / "api.md")
    assert printed == f"{found}\n\ntables: {tmp_path / 'cli.md'}\n"
    assert (tmp_path / "api.md").read_text() == (tmp_path / "cli.md").read_text() == f"{found}\n"
    assert repr(found) == "Comparison(6 runs of 2 settings, 0 left out)"
    assert (len(found), [setting.name for setting in found.settings]) == (6, ["lr 0.001", "lr 0.01"])
    for kind in ("svg", "png"):
        assert found.save(str(tmp_path / "new" / f"curves.{kind}")) == tmp_path / "new" / f"curves.{kind}"
        assert (tmp_path / "new" / f"curves.{kind}").stat().st_size > 1000
    with pytest.raises(InputError, match=r"written as \.svg, \.png or \.md"):
        found.save("a.pdf")


def test_the_function_names_what_it_leaves_out(runs: list[Path], tmp_path: Path) -> None:
    found = rnagen.compare([runs[0], tmp_path / "absent"])
    assert repr(found) == "Comparison(1 runs of 1 settings, 1 left out)"
    assert "absent" in str(found.failures[0])
    assert len(rnagen.compare(str(runs[0]))) == 1
    with pytest.raises(ConfigError, match=r"runs: none can be compared .*absent"):
        rnagen.compare(tmp_path / "absent")
    with pytest.raises(ConfigError, match="compare: no such option: format"):
        rnagen.compare(runs, format="svg")
