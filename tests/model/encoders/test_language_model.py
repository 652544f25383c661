"""Language models as encoders: what they may read, and that a checkpoint needs nothing but itself."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rnagen.checkpoints.reactivity import load_reactivity_checkpoint, save_reactivity_checkpoint
from rnagen.cli.main import main
from rnagen.features import RNAFeatures
from rnagen.model.encoders import EncoderOutput, build_encoder
from rnagen.model.reactivity import ReactivityModel
from tests.helpers.encoders import close, random_features, same
from tests.helpers.language_models import NAMES, encoder, every_model, options, write_folder

EXPERIMENTS = ("2A3_MaP", "DMS_MaP")
LENGTHS = (12, 7, 0, 12)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {name: write_folder(root / name, name) for name in NAMES}


def ragged(seed: int = 0) -> RNAFeatures:
    """RNAs of these lengths; the padding that follows them is full of garbage."""
    features = random_features(15, batch=4, seed=seed)
    return replace(features, mask=torch.arange(15) < torch.tensor(LENGTHS)[:, None])


def alone(features: RNAFeatures, row: int) -> RNAFeatures:
    """One RNA of `ragged` without padding."""
    end = LENGTHS[row]
    return RNAFeatures(
        bases=features.bases[row : row + 1, :end],
        residue_index=features.residue_index[row : row + 1, :end],
        mask=features.mask[row : row + 1, :end],
        pair_probabilities=features.pair_probabilities[row : row + 1, :end, :end],
    )


@every_model
def test_the_interface_is_kept(folders: dict[str, Path], name: str) -> None:
    model, features = encoder(folders[name]), random_features(9)
    out = model(features)
    assert (model.dim, model.num_layers, model.pair_dim) == (16, 2, 8 if name == "ribonanzanet" else None)
    assert out.single.shape == (2, 9, 16)
    assert [layer.shape for layer in out.layers] == [(2, 9, 16)] * 2
    assert not torch.equal(out.layers[0], out.layers[1])
    if name == "ribonanzanet":
        assert out.pair is not None
        assert out.pair.shape == (2, 9, 9, 8)
    else:
        assert out.pair is None


@every_model
def test_the_output_is_that_of_the_library(folders: dict[str, Path], name: str) -> None:
    """The same folder, tokenised and run as the documentation of multimolecule has it."""
    from transformers import AutoModel, AutoTokenizer

    features = random_features(9, batch=1)
    tokens = AutoTokenizer.from_pretrained(folders[name])(
        "".join("ACGUN"[code] for code in features.bases[0]), return_tensors="pt"
    )
    with torch.no_grad():
        theirs = AutoModel.from_pretrained(folders[name])(**tokens, output_hidden_states=True)
        ours = encoder(folders[name])(features)
    close(ours.single, theirs.last_hidden_state[:, 1:-1])
    for mine, other in zip(ours.layers, theirs.hidden_states[1:], strict=True):
        close(mine, other[:, 1:-1])


@every_model
def test_padding_and_neighbours_change_nothing(folders: dict[str, Path], name: str) -> None:
    model, features = encoder(folders[name]), ragged()
    with torch.no_grad():
        together = model(features)
        for row, length in enumerate(LENGTHS):
            if length:
                pair = None if together.pair is None else together.pair[row : row + 1]
                layers = tuple(layer[row : row + 1] for layer in together.layers)
                mine = EncoderOutput(together.single[row : row + 1], pair, layers)
                same(model(alone(features, row)), mine)
    for values in (together.single, *together.layers):
        assert not values[~features.mask].any()


@every_model
def test_the_sequence_acts_and_nothing_else(folders: dict[str, Path], name: str) -> None:
    model, features = encoder(folders[name]), random_features(12)
    with torch.no_grad():
        out = model(features)
        same(out, model(replace(features, pair_probabilities=torch.zeros(2, 12, 12))))
        same(out, model(replace(features, residue_index=features.residue_index + 40)))
        for base in range(5):
            changed = features.bases.clone()
            changed[:, 6] = (changed[:, 6] + 1) % 5 if base == 4 else base
            moved = (model(replace(features, bases=changed)).single - out.single).abs().amax(-1)
            assert ((moved[:, 0] > 1e-4) == (changed[:, 6] != features.bases[:, 6])).all()
        turned = model(replace(features, bases=features.bases.flip(1))).single.flip(1)
        assert (turned - out.single).abs().max() > 1e-2


@every_model
def test_it_can_be_trained_after_validation(folders: dict[str, Path], name: str) -> None:
    """Dropout is on in a new encoder, and tables made in inference mode do not stop a gradient."""
    model, features = build_encoder(options(folders[name])), random_features(8)
    assert all(module.training for module in model.modules())
    assert not torch.equal(model(features).single, model(features).single)
    with torch.inference_mode():
        model.eval()(features)
    out = model.train()(features)
    pair = 0 if out.pair is None else out.pair.square().sum()
    (out.single.square().sum() + pair).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    with torch.autocast("cpu", torch.bfloat16):
        assert model(features).single.isfinite().all()


@every_model
def test_a_checkpoint_needs_no_folder(tmp_path: Path, name: str) -> None:
    folder, features = write_folder(tmp_path / "model", name), ragged()
    model = ReactivityModel(options(folder), EXPERIMENTS).eval()
    assert model.head.in_features == 16
    with torch.no_grad():
        before = model(features)
    assert torch.equal(before[2], torch.zeros_like(before[2]))
    path = tmp_path / "a.safetensors"
    save_reactivity_checkpoint(path, model, {})
    shutil.rmtree(folder)
    # The random state of loading must not matter.
    torch.manual_seed(99)
    loaded = load_reactivity_checkpoint(path).model
    assert loaded.config == model.config
    with torch.no_grad():
        assert torch.equal(loaded(features), before)
    assert all(not tensor.is_meta for tensor in (*loaded.parameters(), *loaded.buffers()))
    again = tmp_path / "b.safetensors"
    save_reactivity_checkpoint(again, loaded, {})
    assert again.read_bytes() == path.read_bytes()
    # What takes the encoder over has the options of the model and the tensors alone.
    with torch.device("meta"):
        encoder = build_encoder(loaded.config)
    encoder.load_state_dict(model.encoder.state_dict(), assign=True)
    with torch.no_grad():
        same(model.encoder(features), encoder.eval()(features))


@every_model
def test_half_precision_weights_are_used_in_full(tmp_path: Path, folders: dict[str, Path], name: str) -> None:
    folder = shutil.copytree(folders[name], tmp_path / "half")
    weights = load_file(folder / "model.safetensors")
    save_file({key: tensor.half() for key, tensor in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "dtype": "float16"}))
    model, features = ReactivityModel(options(folder), EXPERIMENTS).eval(), random_features(9)
    rebuilt = ReactivityModel(model.config, EXPERIMENTS).eval()
    rebuilt.load_state_dict(model.state_dict())
    for one in (model, rebuilt):
        assert {t.dtype for t in (*one.parameters(), *one.buffers()) if t.is_floating_point()} == {torch.float32}
    with torch.no_grad():
        assert torch.equal(rebuilt(features), model(features))
        difference = model.encoder(features).single - encoder(folders[name])(features).single
    assert 0 < difference.abs().max() < 0.05


@every_model
def test_summary(tmp_path: Path, folders: dict[str, Path], capsys: pytest.CaptureFixture[str], name: str) -> None:
    model = ReactivityModel(options(folders[name]), EXPERIMENTS)
    save_reactivity_checkpoint(tmp_path / "a.safetensors", model, {})
    file = tmp_path / "a.yaml"
    file.write_text(f"task: reactivity\nencoder: language-model\nlanguage_model: {folders[name]}\nbase_pairs: none\n")
    for given in (tmp_path / "a.safetensors", file):
        assert main(["summary", str(given), "--length", "20", "--depth", "9"]) == 0
        printed = capsys.readouterr().out
        assert "reactivity model, language-model" in printed
        assert "encoder.model.encoder.layer.1" in printed
        assert "1×20×2 " in printed
        assert f"{model.num_parameters:,} parameters" in printed
