"""sample.py --label: conformers of a category, by flag and from Python; labels that the model does not know."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rnagen
from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.sample import main
from rnagen.errors import ConfigError
from rnagen.io.read import read_structures
from rnagen.io.target import Target
from rnagen.structure import BEADS
from tests.helpers.tiny import LABELLED, TINY, stirred, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads labels and one that does not."""
    path = tmp_path_factory.mktemp("labelled")
    for name, config in (("labelled", LABELLED), ("plain", TINY)):
        save_checkpoint(path / f"{name}.safetensors", tiny_model(config), config, {"cutoff": "2022-05-27"})
    return path


@pytest.fixture
def run(folder: Path, tmp_path: Path):
    """Run sample.py into tmp_path/OUT; returns the exit code."""

    def call(*flags: str | Path, out: str = "out", ckpt: str = "labelled") -> int:
        given = [
            "--ckpt",
            folder / f"{ckpt}.safetensors",
            "--steps",
            "3",
            "--n",
            "2",
            "--atoms",
            "beads",
            "--out",
            tmp_path / out,
        ]
        return main([str(f) for f in (*given, "--sequence", SEQUENCE, *flags)])

    return call


def coords(folder: Path) -> np.ndarray:
    (structure,) = read_structures(folder / "rna" / "ensemble.cif")
    return structure.select_atoms(BEADS).coords


def test_a_label_and_guidance_by_it_act_and_are_recorded(run, folder: Path, tmp_path: Path) -> None:
    flags = {
        "free": (),
        "out": ("--label", "tRNA"),
        "other": ("--label", "riboswitch"),
        "guided": ("--label", "tRNA", "--cfg-scale", "3"),
    }
    for out, given in flags.items():
        assert run(*given, out=out) == 0
    found = {out: coords(tmp_path / out) for out in flags}
    for one, other in (("out", "free"), ("out", "other"), ("guided", "out")):
        assert np.abs(found[one] - found[other]).max() > 1e-2, (one, other)
    for out, label in (("out", "tRNA"), ("free", None)):
        (entry,) = json.loads((tmp_path / out / "run.json").read_text())["targets"]
        assert entry["label"] == label
    options = {"n": 2, "ckpt": folder / "labelled.safetensors", "steps": 3, "atoms": "beads"}
    np.testing.assert_allclose(rnagen.sample(SEQUENCE, label="tRNA", **options).coords, found["out"], atol=2e-3)
    guided = rnagen.sample(SEQUENCE, label="tRNA", cfg_scale=3.0, **options)
    np.testing.assert_allclose(guided.coords, found["guided"], atol=2e-3)
    own = rnagen.sample_targets([Target("rna", SEQUENCE, label="tRNA")], label="riboswitch", **options)
    np.testing.assert_allclose(own["rna"].coords, found["out"], atol=2e-3)


@pytest.mark.parametrize(
    ("ckpt", "flags", "words"),
    [
        (
            "labelled",
            ("--label", "trna"),
            "this model does not know 'trna' (did you mean tRNA?); choose from riboswitch, t",
        ),
        ("plain", ("--label", "tRNA"), "label: this model cannot read one (it was trained without --labels)"),
        ("labelled", ("--cfg-scale", "2"), "cfg_scale: guides this model by a label, and rna has none (--label)"),
    ],
)
def test_a_label_that_cannot_be_used_is_one_line_and_nothing_is_written(
    run, folder: Path, tmp_path: Path, capsys, ckpt: str, flags: tuple[str, ...], words: str
) -> None:
    assert run(*flags, ckpt=ckpt) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
    options = {name.lstrip("-").replace("-", "_"): value for name, value in zip(flags[::2], flags[1::2])}
    if "label" in options:
        with pytest.raises(ConfigError, match="label: this model"):
            rnagen.sample(SEQUENCE, ckpt=folder / f"{ckpt}.safetensors", **options)


def test_rnas_of_several_labels_share_a_folder(run, tmp_path: Path, capsys) -> None:
    assert run("--label", "tRNA") == 0
    assert run("--label", "riboswitch", "--name", "second") == 0
    entries = json.loads((tmp_path / "out" / "run.json").read_text())["targets"]
    assert [(entry["name"], entry["label"]) for entry in entries] == [("rna", "tRNA"), ("second", "riboswitch")]
    assert run() == 2
    assert "another RNA of the same name: rna: label 'tRNA' there, none now" in capsys.readouterr().err


def test_a_folder_from_before_there_were_labels_is_added_to(run, tmp_path: Path) -> None:
    assert run(ckpt="plain") == 0
    file = tmp_path / "out" / "run.json"
    former = json.loads(file.read_text())
    del former["targets"][0]["label"]
    file.write_text(json.dumps(former))
    assert run(ckpt="plain") == 0
    assert run("--name", "second", ckpt="plain") == 0
    assert [entry["label"] for entry in json.loads(file.read_text())["targets"]] == [None, None]


def test_a_guide_without_labels_is_a_guide(run, folder: Path) -> None:
    assert run("--label", "tRNA", "--cfg-scale", "2", "--guide-ckpt", folder / "plain.safetensors") == 0


def test_the_likelihood_is_that_without_a_label(run, folder: Path, tmp_path: Path) -> None:
    assert run("--label", "tRNA", "--n", "1") == 0
    plain = replace(LABELLED, model=TINY.model, dataset=TINY.dataset)
    model = stirred(tiny_model(LABELLED))
    model.latent.label = None
    save_checkpoint(tmp_path / "same.safetensors", model, plain, {"cutoff": "2022-05-27"})
    found = [
        rnagen.evaluate(tmp_path / "out" / "rna", tmp_path / "out" / "rna", likelihood=True, ckpt=ckpt, baselines=False)
        for ckpt in (folder / "labelled.safetensors", tmp_path / "same.safetensors")
    ]
    first, second = (json.loads(one.to_json())["targets"][0]["ranking"]["log_likelihoods"] for one in found)
    np.testing.assert_allclose(first, second, rtol=1e-6)
