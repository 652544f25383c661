"""rnagen reactivity from the command line: the table, the figures, the check, and bad inputs."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from rnagen.checkpoints.reactivity import DEFAULT_CHECKPOINT, load_reactivity_checkpoint, save_reactivity_checkpoint
from rnagen.cli.main import main
from rnagen.io.files import lock_folder
from rnagen.model.reactivity import ReactivityModel
from rnagen.secondary.vienna import sparse_base_pairs
from rnagen.tasks.reactivity.infer import make_features, predict
from tests.helpers.encoders import EXPERIMENTS, tiny_reactivity_model
from tests.helpers.outputs import contents

ROOT = Path(__file__).parents[2]
SEQUENCES = {"one": "GGGAAACUUCGGUUUCCC", "two": "GGGCUUCGGCCC", "three": "ACGUACGUAC"}
FASTA = "".join(f">{name}\n{sequence}\n" for name, sequence in SEQUENCES.items())


@pytest.fixture(scope="module")
def ckpts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    paths = []
    for kind in ("transformer", "convformer"):
        paths.append(tmp_path_factory.mktemp("ckpt") / f"{kind}.safetensors")
        save_reactivity_checkpoint(paths[-1], tiny_reactivity_model(kind), {})
    return paths


@pytest.fixture
def run(ckpts: list[Path], tmp_path: Path):
    """Run the verb with both checkpoints into tmp_path/out, without figures unless asked; returns the exit code."""

    def call(*flags: str | Path, out: str = "out", figures: bool = False) -> int:
        given = [] if "--ckpt" in flags or "--check" in flags else ["--ckpt", *ckpts]
        plain = [] if figures else ["--no-figures"]
        return main([str(flag) for flag in ("reactivity", *given, *plain, "--out", tmp_path / out, *flags)])

    return call


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    path = tmp_path / "in.fasta"
    path.write_text(FASTA)
    return path


def read_table(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype={"sequence_id": str}) if path.suffix == ".csv" else pd.read_parquet(path)
    return frame.set_index(["sequence_id", "experiment_type"])


def values(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Reactivity [L, E] of one RNA."""
    length = len(frame.loc[(name, EXPERIMENTS[0]), "sequence"])
    columns = [f"reactivity_{p:04d}" for p in range(1, length + 1)]
    return np.column_stack([frame.loc[(name, e), columns].to_numpy(dtype=np.float32) for e in EXPERIMENTS])


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("flip", [True, False])
def test_the_table_holds_the_mean_of_the_models(
    run, ckpts, fasta: Path, tmp_path: Path, suffix: str, flip: bool
) -> None:
    assert run("--fasta", fasta, "--format", suffix, "--flip" if flip else "--no-flip") == 0
    assert sorted(p.name for p in (tmp_path / "out").glob("[!.]*")) == [f"reactivity.{suffix}", "run.json"]
    frame = read_table(tmp_path / "out" / f"reactivity.{suffix}")
    assert list(frame.index) == [(name, experiment) for name in SEQUENCES for experiment in EXPERIMENTS]
    models = [load_reactivity_checkpoint(path).model for path in ckpts]
    for name, sequence in SEQUENCES.items():
        (alone,) = predict(models, make_features([sequence], sparse_base_pairs), flip)
        np.testing.assert_allclose(values(frame, name), alone[: len(sequence)].numpy(), atol=1e-5)
    described = json.loads((tmp_path / "out" / "run.json").read_text())
    assert described["identity"]["checkpoints_sha256"] == [
        load_reactivity_checkpoint(path).fingerprint for path in ckpts
    ]
    assert (described["identity"]["flip"], described["identity"]["targets"]) == (flip, 3)
    assert described["experiments"] == list(EXPERIMENTS)


def test_the_batch_changes_no_value(run, fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--fasta", fasta) == 0
    assert run("--fasta", fasta, "--batch-size", "1", out="single") == 0
    monkeypatch.setattr("rnagen.tasks.reactivity.infer.BATCH_PAIRS", 2 * 12**2)
    assert run("--fasta", fasta, out="pairs") == 0
    whole = read_table(tmp_path / "out" / "reactivity.parquet")
    for folder in ("single", "pairs"):
        other = read_table(tmp_path / folder / "reactivity.parquet")
        assert list(other.index) == list(whole.index)
        for name in SEQUENCES:
            np.testing.assert_allclose(values(other, name), values(whole, name), atol=1e-5)


def test_models_without_base_pairs_run_no_vienna(run, fasta: Path, tmp_path: Path, monkeypatch) -> None:
    from dataclasses import replace

    model = tiny_reactivity_model()
    path = tmp_path / "blind.safetensors"
    save_reactivity_checkpoint(path, ReactivityModel(replace(model.config, base_pairs="none"), EXPERIMENTS), {})
    monkeypatch.setattr("rnagen.secondary.vienna._fold_compound", lambda sequence: pytest.fail("ViennaRNA was called"))
    assert run("--fasta", fasta, "--ckpt", path) == 0
    monkeypatch.setattr("rnagen.secondary.vienna.MAXIMUM_LENGTH", 15)
    assert run("--fasta", fasta, "--ckpt", path, out="long") == 0


def test_figures_with_measured_values(run, tmp_path: Path, capsys) -> None:
    fasta = tmp_path / "two.fasta"
    fasta.write_text(FASTA.split(">three")[0])
    assert run("--fasta", fasta, out="first") == 0
    measured = tmp_path / "first" / "reactivity.parquet"
    frame = pd.read_parquet(measured)
    frame[frame["sequence_id"] == "one"].assign(sequence_id="theirs", SN_filter=1).to_parquet(measured)
    assert run("--fasta", fasta, "--measured", measured, figures=True) == 0
    assert "has profiles of 1 of the RNAs" in capsys.readouterr().out
    sampled = {path.name: path.read_text() for path in (tmp_path / "out").glob("*.svg")}
    assert set(sampled) == {"one.svg", "two.svg"}
    assert [name for name, text in sampled.items() if ">measured</text>" in text] == ["one.svg"]
    assert all(f">{experiment}</text>" in text for text in sampled.values() for experiment in EXPERIMENTS)
    # The same command again gives the same bytes.
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert run("--fasta", fasta, "--measured", measured, figures=True) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_window_leaves_the_ends_empty_and_refuses_what_is_too_short(run, fasta: Path, tmp_path: Path, capsys) -> None:
    window = ("--skip-start", "6", "--skip-end", "4")
    assert run("--fasta", fasta, *window) == 1
    assert "three: 10 nt, but the first and last 10 get no value" in capsys.readouterr().err
    frame = read_table(tmp_path / "out" / "reactivity.parquet")
    found = np.isfinite(values(frame, "two"))
    np.testing.assert_array_equal(found, np.repeat([[False] * 6 + [True] * 2 + [False] * 4], 3, axis=0).T)
    (tmp_path / "good.fasta").write_text(FASTA.split(">three")[0])
    table = tmp_path / "out" / "reactivity.parquet"
    assert run("--check", table, "--fasta", tmp_path / "good.fasta", *window) == 0
    assert run("--check", table, "--fasta", tmp_path / "good.fasta") == 2
    assert "one: 2A3_MaP, position 1: no value" in capsys.readouterr().err


def test_the_check_of_a_table(run, fasta: Path, tmp_path: Path, capsys) -> None:
    assert run("--fasta", fasta) == 0
    table = tmp_path / "out" / "reactivity.parquet"
    capsys.readouterr()
    assert run("--check", table, "--fasta", fasta, out="nothing") == 0
    assert "complete and valid for all 3 RNAs: 1M7, 2A3_MaP, DMS_MaP" in capsys.readouterr().out
    frame = pd.read_parquet(table)
    frame.iloc[1:].to_csv(tmp_path / "theirs.csv", index=False)
    assert run("--check", tmp_path / "theirs.csv", "--fasta", fasta, out="nothing") == 2
    assert "theirs.csv: one: no row of 2A3_MaP" in capsys.readouterr().err
    assert run("--check", tmp_path / "absent.csv", "--fasta", fasta, out="nothing") == 2
    assert "absent.csv: no such file" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


def test_one_bad_record_among_good_ones(run, tmp_path: Path, capsys) -> None:
    path = tmp_path / "mixed.fasta"
    path.write_text(">good\nGGGAAACCC\n>bad\nGGG!CCC\n>good\nAAA\n>fine\nacgT\n")
    assert run("--fasta", path) == 1
    message = capsys.readouterr().err
    assert "2 records failed" in message
    assert "bad: position 4: '!'" in message
    frame = pd.read_parquet(tmp_path / "out" / "reactivity.parquet")
    assert list(frame["sequence_id"].unique()) == ["good", "fine"]
    assert frame["sequence"].iloc[-1] == "ACGU"


def test_values_that_are_no_numbers_are_never_written(run, tmp_path: Path, fasta: Path, capsys) -> None:
    model = tiny_reactivity_model()
    with torch.no_grad():
        model.head.bias[0] = torch.nan
    save_reactivity_checkpoint(tmp_path / "broken.safetensors", model, {})
    assert run("--fasta", fasta, "--ckpt", tmp_path / "broken.safetensors") == 1
    assert "3 records failed" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "out").glob("[!.]*")] == ["run.json"]


def test_too_long_is_refused_before_work(run, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnagen.tasks.reactivity.infer.available_memory", lambda: 70 * 2**20)
    assert run("--sequence", "ACGU" * 500) == 2
    assert "2000 nt need about" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr("rnagen.secondary.local.LONGEST", 35)
    assert run("--sequence", "ACGU" * 10) == 2
    assert "40 nt: base pairs are predicted for at most 35 nt" in capsys.readouterr().err
    monkeypatch.setattr("rnagen.secondary.vienna.MAXIMUM_LENGTH", 30)
    assert run("--sequence", "ACGU" * 8, figures=True) == 2
    assert "32 nt: figures have at most 30 nt; use --no-figures" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    # Longer than ViennaRNA folds as a whole: local pairs.
    monkeypatch.setattr("rnagen.secondary.vienna.LONGEST_WHOLE", 30)
    assert run("--sequence", "ACGU" * 8) == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--sequence", ""), "empty"),
        (("--sequence", "GGG%CCC"), "position 4"),
        (("--fasta", "absent.fasta"), "absent.fasta"),
        (("--ckpt", "absent.safetensors"), "absent.safetensors"),
        (("--measured", "absent.parquet", "--figures"), "absent.parquet"),
        (("--device", "cuda:7"), "device"),
    ],
)
def test_bad_flags_are_named_and_nothing_is_written(run, tmp_path: Path, capsys, flags, words: str) -> None:
    assert run(*flags) == 2
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ("--batch-size", "0"),
        ("--skip-start", "-1"),
        ("--format", "xlsx"),
        ("--nope",),
        ("--no-figures", "--measured", "a.csv"),
    ],
)
def test_impossible_options_exit_with_2(flags: tuple[str, ...]) -> None:
    assert main(["reactivity", *flags]) == 2


def test_checkpoints_of_other_experiments_are_refused_by_name(run, ckpts, fasta: Path, tmp_path: Path, capsys) -> None:
    other = tmp_path / "other.safetensors"
    model = tiny_reactivity_model()
    save_reactivity_checkpoint(other, ReactivityModel(model.config, EXPERIMENTS[::-1]), {})
    assert run("--fasta", fasta, "--ckpt", ckpts[0], other) == 2
    message = capsys.readouterr().err
    assert "transformer.safetensors predicts 2A3_MaP, DMS_MaP, 1M7; " in message
    assert "other.safetensors predicts 1M7, DMS_MaP, 2A3_MaP" in message
    assert not (tmp_path / "out").exists()


def test_without_a_checkpoint_the_shipped_one_predicts(fasta: Path, tmp_path: Path) -> None:
    assert main(["reactivity", "--fasta", str(fasta), "--no-figures", "--out", str(tmp_path / "out")]) == 0
    shipped = load_reactivity_checkpoint(DEFAULT_CHECKPOINT)
    run_json = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run_json["identity"]["checkpoints_sha256"] == [shipped.fingerprint]
    # It has learnt what everybody knows: the loop of a hairpin is more open than its stem.
    table = read_table(tmp_path / "out" / "reactivity.parquet")
    reactivity = table.loc[("one", "1M7_MaP"), [f"reactivity_{n + 1:04d}" for n in range(18)]].to_numpy(float)
    paired = np.array([symbol in "()" for symbol in "((((((......))))))"[:18]])
    assert reactivity[~paired].mean() > reactivity[paired].mean()


def test_a_folder_of_another_run_is_refused_with_the_difference(
    run, fasta: Path, tmp_path: Path, ckpts, capsys
) -> None:
    assert run("--fasta", fasta) == 0
    before = (tmp_path / "out" / "reactivity.parquet").read_bytes()
    assert run("--fasta", fasta, "--ckpt", ckpts[0], "--skip-end", "2") == 2
    message = capsys.readouterr().err
    assert "ckpt (the weights): not the same" in message
    assert "skip_end: 0 there, 2 now" in message
    assert (tmp_path / "out" / "reactivity.parquet").read_bytes() == before


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from rnagen.cli.main import main\n"
        "try: main(['reactivity', '--help'])\n"
        "except SystemExit as e: assert e.code == 0\n"
        "heavy = {'torch', 'lightning', 'pandas', 'pyarrow', 'matplotlib', 'RNA'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "--skip-start" in done.stdout


def test_every_name_has_a_figure(run, tmp_path: Path) -> None:
    names = {"a/b": "a_b-2", "a_b": "a_b", "../x": "___x", "NA": "NA", "con": "_con", "$x^$": "$x^$"}
    path = tmp_path / "names.fasta"
    path.write_text("".join(f">{name}\nGGGAAACCC\n" for name in names))
    assert run("--fasta", path, figures=True) == 0
    assert {figure.stem for figure in (tmp_path / "out").glob("*.svg")} == set(names.values())
    table = pd.read_parquet(tmp_path / "out" / "reactivity.parquet")
    assert list(table["sequence_id"].unique()) == list(names)
    assert ">a/b (9 nt)</text>" in (tmp_path / "out" / "a_b-2.svg").read_text()


@pytest.mark.parametrize("moment", [1, 2, 4])
def test_a_full_disk_is_one_line_and_the_next_run_ends_whole(
    run, fasta: Path, tmp_path: Path, capsys, monkeypatch, moment: int
) -> None:
    """run.json, the table, then the figures."""
    replace, calls = os.replace, []

    def full(*given: Any) -> None:
        calls.append(given)
        if len(calls) == moment:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(*given)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert run("--fasta", fasta, figures=True) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "No space left on device" in line
    assert not [path.name for path in (tmp_path / "out").glob(".*") if path.name != ".lock"]
    # What a kill leaves instead. Where nothing was written, no folder was left.
    (tmp_path / "out").mkdir(exist_ok=True)
    for leftover in (".run.json.abc.tmp", *([".reactivity.parquet.abc.tmp"] if moment > 1 else [])):
        (tmp_path / "out" / leftover).touch()
    assert run("--fasta", fasta, figures=True) == 0
    assert run("--fasta", fasta, figures=True, out="whole") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_folder_that_another_process_writes_to_is_refused(run, fasta: Path, tmp_path: Path, capsys) -> None:
    with lock_folder(tmp_path / "out"):
        assert run("--fasta", fasta) == 2
    assert "another rnagen process is writing to this folder" in capsys.readouterr().err
    assert run("--fasta", fasta) == 0
