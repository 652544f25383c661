"""Reactivity checkpoints: what is saved is what is loaded; the wrong file is an error that names it."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rnagen.checkpoints.reactivity import load_reactivity_checkpoint, save_reactivity_checkpoint
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint, save_checkpoint
from rnagen.errors import InputError
from tests.helpers.encoders import EXPERIMENTS, KINDS, random_features, tiny_reactivity_model
from tests.helpers.tiny import TINY, tiny_model

METADATA = {"step": 7, "metrics": {"val/mae": 0.2}, "data": {"sha256": "ab"}}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "reads.safetensors"
    save_reactivity_checkpoint(path, tiny_reactivity_model(), METADATA)
    return path


def rewrite_json(path: Path, **changes: object) -> None:
    file = path.with_suffix(".json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(tmp_path: Path, kind: str) -> None:
    model, path, features = tiny_reactivity_model(kind, sigmoid=True), tmp_path / "a.safetensors", random_features(7)
    save_reactivity_checkpoint(path, model, METADATA)
    loaded = load_reactivity_checkpoint(path)
    assert loaded.model.config == model.config
    assert loaded.model.experiments == EXPERIMENTS
    assert {name: loaded.metadata[name] for name in METADATA} == METADATA
    assert loaded.metadata["task"] == "reactivity"
    assert loaded.metadata["weights_sha256"] == loaded.fingerprint
    assert not loaded.model.training
    with torch.no_grad():
        assert torch.equal(loaded.model(features), model(features))


def test_the_tasks_are_not_mixed_up(saved: Path, tmp_path: Path) -> None:
    structure = tmp_path / "structure.safetensors"
    save_checkpoint(structure, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    for path in (structure, DEFAULT_CHECKPOINT):
        with pytest.raises(InputError, match=rf"{path.name}.*of the structure model, not of the reactivity model"):
            load_reactivity_checkpoint(path)
    with pytest.raises(InputError, match=r"reads\.safetensors.*of the reactivity model, not of the structure model"):
        load_checkpoint(saved)
    assert load_checkpoint(structure).metadata["task"] == "structure"


def test_missing_weights(saved: Path) -> None:
    saved.unlink()
    with pytest.raises(InputError, match=r"reads\.safetensors.*no such file"):
        load_reactivity_checkpoint(saved)


def test_damaged_weights(saved: Path) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"reads\.safetensors.*truncated"):
        load_reactivity_checkpoint(saved)
    saved.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match="SHA-256"):
        load_reactivity_checkpoint(saved)


@pytest.mark.parametrize("experiments", [None, [], "DMS_MaP", [1], ["DMS_MaP", "DMS_MaP"]])
def test_the_experiments_are_named(saved: Path, experiments: object) -> None:
    rewrite_json(saved, experiments=experiments)
    with pytest.raises(InputError, match=r"reads\.json: experiments"):
        load_reactivity_checkpoint(saved)


def test_another_number_of_experiments_does_not_fit_the_weights(saved: Path) -> None:
    rewrite_json(saved, experiments=["DMS_MaP"])
    with pytest.raises(InputError, match=r"reads\.safetensors: head\.bias: shape \[3\] in the file, \[1\]"):
        load_reactivity_checkpoint(saved)


def test_another_encoder_does_not_fit_the_weights(saved: Path) -> None:
    described = json.loads(saved.with_suffix(".json").read_text())
    rewrite_json(saved, config={**described["config"], "encoder": "squeezeformer"})
    with pytest.raises(InputError, match=r"reads\.safetensors: encoder\..*: the file (lacks|has a surplus)"):
        load_reactivity_checkpoint(saved)
    rewrite_json(saved, config={**described["config"], "encoder": "lstm"})
    with pytest.raises(InputError, match=r"reads\.json: config: .*encoder"):
        load_reactivity_checkpoint(saved)


def test_surplus_tensor(saved: Path) -> None:
    weights = load_file(saved)
    save_file({**weights, "a.new": torch.zeros(1)}, saved)
    from hashlib import sha256

    rewrite_json(saved, weights_sha256=sha256(saved.read_bytes()).hexdigest())
    with pytest.raises(InputError, match=r"a\.new: the file has a surplus"):
        load_reactivity_checkpoint(saved)


def test_an_interrupted_save_leaves_the_old_one(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_reactivity_checkpoint(saved, tiny_reactivity_model(), METADATA)
    assert saved.read_bytes() == before
    assert len(list(saved.parent.iterdir())) == 2
