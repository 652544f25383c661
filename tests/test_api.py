"""The Python API: examples that run, confidence, refusals, and folders that resume as those of the command line do."""

import doctest
from pathlib import Path

import numpy as np
import pytest

import rnagen
from rnagen import api
from rnagen.cli.sample import main
from rnagen.errors import ConfigError, InputError
from tests.helpers.outputs import contents

RNAS = [("one", "GGGAAACCC"), ("two", "GGGCUUCGGCCC")]
FASTA = "".join(f">{name}\n{sequence}\n" for name, sequence in RNAS)


def test_the_examples_of_the_docstrings_run() -> None:
    result = doctest.testmod(api)
    assert result.attempted >= 5
    assert result.failed == 0


def test_every_name_of_the_package_is_there() -> None:
    for name in rnagen.__all__:
        assert getattr(rnagen, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        rnagen.nothing  # noqa: B018


def test_targets_come_as_a_list_a_file_or_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "in.fasta"
    path.write_text(FASTA)
    listed = rnagen.sample_targets(RNAS, 2, steps=2, out=tmp_path / "api")
    read = rnagen.sample_targets(str(path), 2, steps=2)
    assert main(["--fasta", str(path), "--n", "2", "--steps", "2", "--out", str(tmp_path / "cli")]) == 0
    assert list(listed.ensembles) == list(read.ensembles) == ["one", "two"]
    assert not listed.failures
    for name in ("one", "two"):
        np.testing.assert_array_equal(listed[name].coords, read[name].coords)
    assert contents(tmp_path / "api") == contents(tmp_path / "cli")


def test_a_folder_is_resumed_with_its_confidence(tmp_path: Path) -> None:
    first = rnagen.sample_targets(RNAS, 1, steps=2, out=tmp_path / "out")
    again = rnagen.sample_targets(RNAS, 1, steps=2, out=tmp_path / "out")
    for name in ("one", "two"):
        # The files hold rounded numbers.
        np.testing.assert_allclose(again[name].coords, first[name].coords, atol=1e-3)
        np.testing.assert_allclose(again[name].confidence.tm, first[name].confidence.tm, atol=1e-3)
        assert again[name].numbers == first[name].numbers
    with pytest.raises(ConfigError, match="steps: 2 there, 3 now"):
        rnagen.sample_targets(RNAS, 1, steps=3, out=tmp_path / "out")


def test_what_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnagen.sampling.checks.available_memory", lambda: 10 * 2**20)
    with pytest.raises(InputError, match="1000 nt need about"):
        rnagen.sample("ACGU" * 250)


def test_sequences_may_come_by_name() -> None:
    result = rnagen.sample_targets(dict(RNAS), 1, steps=2)
    assert list(result.ensembles) == ["one", "two"]
    assert "sample_targets" in dir(rnagen)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(ConfigError, match="stepz"):
        rnagen.sample("GGGAAACCC", stepz=3)


def test_predictions_are_evaluated(tmp_path: Path) -> None:
    rnagen.sample_targets(RNAS, 2, steps=2, out=tmp_path / "out")
    result = rnagen.evaluate(tmp_path / "out", tmp_path / "out" / "submission.csv", baselines=False)
    assert [score.target for score in result.scores] == ["one", "two"]
    assert result.summary["best1"].mean == pytest.approx(1.0, abs=1e-6)


def test_a_dataset_is_prepared_and_trained_on(tmp_path: Path) -> None:
    """Structures of a run of ours become a dataset; the API trains on it as the command line does."""
    rnagen.sample_targets([("one", "GGGGAAAACCUUCGGGGAAUCCCCAAGGUUUUCC")], 1, steps=2, out=tmp_path / "out")
    made = rnagen.prepare(
        [tmp_path / "out" / "one" / "conformer_1.cif"],
        tmp_path / "data",
        assume_date="2001-01-01",
        splits=tmp_path / "splits",
        workers=1,
    )
    assert made.report.chains == 1
    assert made.splits["train"] == 1
    run = rnagen.train(
        data=tmp_path / "data",
        splits=tmp_path / "splits",
        run_dir=tmp_path / "runs",
        **{"embed_dim": 32, "pair_dim": 8, "trunk_layers": 1, "num_layers": 1, "mha_heads": 4, "accelerator": "cpu"},
        **{"crop": 24, "batch_size": 1, "copies": 2, "epochs": 1, "train_batches": 1},
    )
    assert (run / "last.safetensors").is_file()
    with pytest.raises(ConfigError, match="choose one of structure, reactivity, confidence"):
        rnagen.train("nothing")
