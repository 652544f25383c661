"""Checkpoints: round trip, and every way a file can be wrong."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rnagen.checkpoints.files import read_metadata
from rnagen.checkpoints.structure import ASSETS, SHIPPED, load_checkpoint, save_checkpoint
from rnagen.cli.main import main
from rnagen.errors import InputError
from tests.helpers.encoders import KINDS, encoder_source, model_with_encoder, random_features
from tests.helpers.tiny import TINY, tiny_model

METADATA = {"cutoff": "2022-05-27", "step": 7}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, tiny_model(), TINY, METADATA)
    return path


def rewrite_json(path: Path, change) -> None:
    described = json.loads(path.with_suffix(".json").read_text())
    change(described)
    path.with_suffix(".json").write_text(json.dumps(described))


def rewrite_weights(path: Path, change) -> None:
    """Other weights with a matching hash, as somebody would make them who edits a checkpoint."""
    import hashlib

    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite_json(path, lambda described: described.update(weights_sha256=digest))


def test_round_trip(saved: Path) -> None:
    loaded = load_checkpoint(saved)
    assert loaded.config == TINY
    assert loaded.metadata["cutoff"] == "2022-05-27"
    assert loaded.metadata["step"] == 7
    assert not loaded.model.training
    for name, tensor in tiny_model().state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[name], tensor, rtol=0, atol=0)
    assert sorted(p.name for p in saved.parent.iterdir()) == ["model.json", "model.safetensors"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_loaded_as_single(saved: Path, dtype: torch.dtype) -> None:
    rewrite_weights(saved, lambda weights: weights.update({n: w.to(dtype) for n, w in weights.items()}))
    for name, tensor in load_checkpoint(saved).model.state_dict().items():
        assert torch.equal(tensor, tiny_model().state_dict()[name].to(dtype).float())


def test_numbers_of_another_kind_are_refused(saved: Path) -> None:
    rewrite_weights(saved, lambda weights: weights.update({n: w.to(torch.int32) for n, w in weights.items()}))
    with pytest.raises(InputError, match=r"type torch\.int32 in the file, torch\.float32"):
        load_checkpoint(saved)


def test_missing_weights(saved: Path) -> None:
    saved.unlink()
    with pytest.raises(InputError, match=r"model\.safetensors.*no such file"):
        load_checkpoint(saved)


def test_truncated_weights(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"model\.safetensors.*truncated"):
        load_checkpoint(saved)


def test_changed_weights(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-1] ^= 1
    saved.write_bytes(data)
    with pytest.raises(InputError, match="SHA-256"):
        load_checkpoint(saved)


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_model_is_whole_after_a_kill_at_any_moment(saved: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Killed before the description, the weights, or the description again takes its place."""
    calls, replace = iter(range(1, 9)), os.replace

    def killed(*names: object) -> None:
        if next(calls) == moment:
            raise KeyboardInterrupt
        replace(*names)  # type: ignore[arg-type]

    other = {name: tensor + 1 for name, tensor in tiny_model().state_dict().items()}
    model = tiny_model()
    model.load_state_dict(other)
    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(saved, model, TINY, {**METADATA, "step": 8})
    monkeypatch.undo()
    loaded = load_checkpoint(saved)
    is_new = moment == 3
    assert loaded.metadata["step"] == (8 if is_new else 7)
    first = next(iter(other))
    assert torch.equal(loaded.model.state_dict()[first], other[first] if is_new else tiny_model().state_dict()[first])
    save_checkpoint(saved, model, TINY, {**METADATA, "step": 9})
    assert load_checkpoint(saved).metadata["step"] == 9
    assert sorted(p.name for p in saved.parent.iterdir()) == ["model.json", "model.safetensors"]


def test_equal_weights_are_equal_files(saved: Path) -> None:
    before = saved.read_bytes()
    save_checkpoint(saved, tiny_model(), TINY, {**METADATA, "hours": 3.0})
    assert saved.read_bytes() == before


def test_weights_need_their_own_description(saved: Path) -> None:
    save_checkpoint(saved.with_name("other.safetensors"), tiny_model(), TINY, METADATA)
    rewrite_json(saved, lambda described: described.update(weights_sha256="0" * 64))
    with pytest.raises(InputError, match=r"differs from the file that model\.json describes"):
        read_metadata(saved)
    saved.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"model\.json: no such file"):
        read_metadata(saved)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_weights_are_described_by_their_json(name: str) -> None:
    path = ASSETS / f"{name}.safetensors"
    assert read_metadata(path, "structure") == read_metadata(path.with_suffix(".json"))


def test_wrong_keys(saved: Path) -> None:
    rewrite_weights(saved, lambda weights: weights.pop("trunk.base.weight"))
    with pytest.raises(InputError, match=r"trunk\.base\.weight: the file lacks"):
        load_checkpoint(saved)
    rewrite_weights(saved, lambda weights: weights.update({"a.new": torch.zeros(1)}))
    with pytest.raises(InputError, match=r"a\.new: the file has a surplus"):
        load_checkpoint(saved)


def test_wrong_configuration(saved: Path) -> None:
    rewrite_json(saved, lambda described: described["config"].update(embed_dim=64))
    with pytest.raises(InputError, match=r"distogram|latent|trunk") as error:
        load_checkpoint(saved)
    assert "shape" in str(error.value)
    rewrite_json(saved, lambda described: described["config"].update(embed_dim="wide"))
    with pytest.raises(InputError, match=r"model\.json: config: .*embed_dim"):
        load_checkpoint(saved)
    rewrite_json(saved, lambda described: described["config"].update(unheard_of=1))
    with pytest.raises(InputError, match="unheard_of"):
        load_checkpoint(saved)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99}', '{"format": 1}'])
def test_wrong_description(saved: Path, text: str) -> None:
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(InputError, match=r"model\.json"):
        load_checkpoint(saved)


DEEP = 100_000
WRONG_CONFIGURATIONS = {
    "no heads": {"mha_heads": 0},
    "a negative width": {"embed_dim": -32},
    "a large width": {"embed_dim": 2**40},
    "a width beyond all integers": {"pair_dim": 10**300},
    "many layers": {"num_layers": 10**9},
    "a scale that is not finite": {"sigma_data": float("inf")},
    "an integer beyond all floats": {"sigma_data": 10**400},
    "an atom without a place": {"atoms": []},
}


@pytest.mark.parametrize("case", WRONG_CONFIGURATIONS)
def test_impossible_shapes_are_one_line(saved: Path, capsys, case: str) -> None:
    rewrite_json(saved, lambda described: described["config"].update(WRONG_CONFIGURATIONS[case]))
    assert_one_line(saved, capsys, "model.json: config: ")


@pytest.mark.parametrize(
    "text",
    ["[" * DEEP, '{"format": 1, "config": {}, "x": ' + "[" * DEEP, '{"format": 1, "step": ' + "9" * 5000 + "}", ""],
    ids=["deep", "deep inside", "a large integer", "empty"],
)
def test_descriptions_that_cannot_be_parsed_are_one_line(saved: Path, capsys, text: str) -> None:
    saved.with_suffix(".json").write_text(text)
    assert_one_line(saved, capsys, "model.json: ")


@pytest.mark.parametrize("cutoff", [None, "", "soon", "2022-13-45", "20220527", 20220527, ["2022-05-27"]])
def test_the_cutoff_is_a_date(saved: Path, capsys, cutoff: object) -> None:
    rewrite_json(saved, lambda described: described.update(cutoff=cutoff))
    assert_one_line(saved, capsys, "model.json: cutoff: ")


@pytest.mark.parametrize("task", [None, 5, ["structure"], "x" * 10_000])
def test_the_task_is_named(saved: Path, capsys, task: object) -> None:
    rewrite_json(saved, lambda described: described.update(task=task))
    assert_one_line(saved, capsys, "model.safetensors: ")


@pytest.mark.parametrize("encoder", ["x", 5, {}, {"config": 5, "fingerprint": ""}, {"config": {"encoder": 1}}])
def test_the_encoder_is_described(saved: Path, capsys, encoder: object) -> None:
    rewrite_json(saved, lambda described: described.update(encoder=encoder))
    assert_one_line(saved, capsys, "model.json: encoder: ")


def assert_one_line(checkpoint: Path, capsys, words: str) -> None:
    """Sampling with the checkpoint is refused."""
    out = checkpoint.parent / "out"
    assert main(["sample", "--sequence", "GGGAAACCC", "--ckpt", str(checkpoint), "--out", str(out)]) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert printed.count("\n") == 1
    assert len(printed) <= 500
    assert not out.exists()


def test_an_interrupted_save_leaves_the_old_one(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(saved, tiny_model(), TINY, METADATA)
    assert saved.read_bytes() == before
    assert len(list(saved.parent.iterdir())) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_saved_with_its_encoder(tmp_path: Path, kind: str) -> None:
    """And needs no other file."""
    path, model, features = tmp_path / "model.safetensors", model_with_encoder(kind), random_features(9)
    save_checkpoint(path, model, TINY, METADATA, encoder_source(kind))
    loaded = load_checkpoint(path)
    assert loaded.encoder == encoder_source(kind)
    assert not loaded.model.encoder.training
    with torch.no_grad():
        assert torch.equal(loaded.model.condition(features).trunk.pair, model.condition(features).trunk.pair)


def test_an_encoder_without_description_is_not_saved(tmp_path: Path) -> None:
    for model, source in ((model_with_encoder(), None), (tiny_model(), encoder_source())):
        with pytest.raises(ValueError, match="description of its encoder"):
            save_checkpoint(tmp_path / "model.safetensors", model, TINY, METADATA, source)
    assert not list(tmp_path.iterdir())


def test_wrong_encoder(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model_with_encoder(), TINY, METADATA, encoder_source())
    rewrite_json(path, lambda described: described["encoder"]["config"].update(encoder="transformer"))
    with pytest.raises(InputError, match=r"conditioning\.pair|encoder\."):
        load_checkpoint(path)
    rewrite_json(path, lambda described: described["encoder"]["config"].update(encoder="lstm"))
    with pytest.raises(InputError, match=r"model\.json: encoder: .*lstm"):
        load_checkpoint(path)
    rewrite_json(path, lambda described: described.update(encoder={"config": {}}))
    with pytest.raises(InputError, match=r"model\.json: encoder: .*fingerprint"):
        load_checkpoint(path)
    rewrite_json(path, lambda described: described.pop("encoder"))
    with pytest.raises(InputError, match=r"conditioning.*the file has a surplus"):
        load_checkpoint(path)
