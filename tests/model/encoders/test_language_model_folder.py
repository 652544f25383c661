"""Folders of language models and the options that name them: what is read, what is refused, what is not imported."""

import json
import shutil
import socket
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rnagen.cli.main import main
from rnagen.config.encoder import SHAPE_OPTIONS, EncoderConfig
from rnagen.config.files import load_config
from rnagen.errors import ConfigError, InputError
from rnagen.model.encoders import LanguageModelShape, build_encoder
from tests.helpers.encoders import random_features, same
from tests.helpers.language_models import NAMES, encoder, options, write_folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {name: write_folder(root / name, name) for name in NAMES}


def test_the_vocabulary_of_the_folder_counts(tmp_path: Path, folders: dict[str, Path]) -> None:
    from multimolecule import RnaTokenizer

    assert LanguageModelShape.from_folder(folders["rnafm"]).bases == (6, 7, 8, 9, 10)
    folder = shutil.copytree(folders["rnafm"], tmp_path / "other")
    RnaTokenizer(alphabet=list("UNGCA")).save_pretrained(folder)
    assert (folder / "vocab.txt").is_file()
    shape = LanguageModelShape.from_folder(folder)
    assert (shape.bases, shape.before, shape.after) == ((10, 9, 8, 6, 7), (1,), (2,))  # of ACGUN
    assert LanguageModelShape.from_json(shape.to_json()) == shape
    features, model = random_features(9), encoder(folder)
    swapped = replace(features, bases=torch.tensor([4, 3, 2, 0, 1])[features.bases])
    with torch.no_grad():
        same(encoder(folders["rnafm"])(swapped), model(features))


def test_nothing_is_downloaded(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for folder in folders.values():
        encoder(folder)


def test_a_long_rna_is_refused(folders: dict[str, Path]) -> None:
    """80 positions, of which two are for padding and two tokens stand around the sequence."""
    model = encoder(folders["rnafm"])
    assert model(random_features(76, 1)).single.isfinite().all()
    with pytest.raises(InputError, match=r"rnafm: reads at most 76 residues, not 77"):
        model(random_features(77, 1))
    assert encoder(folders["rinalmo"])(random_features(1100, 1)).single.isfinite().all()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: shutil.rmtree(f), "no such folder"),
        (lambda f: (f / "config.json").unlink(), r"config\.json: missing"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json: cannot be parsed as JSON"),
        (lambda f: (f / "config.json").write_text("[]"), r"config\.json: does not describe a known model"),
        (lambda f: edit(f, model_type="unheard"), r"config\.json: does not describe a known model.*unheard"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "resnet"}'),
            r"config\.json: .*hidden_size is missing",
        ),
        (
            lambda f: edit(f, hidden_size=24),
            r"weights: 36 tensors .*the shape given by config\.json, for instance embeddings",
        ),
        (lambda f: edit(f, num_hidden_layers=3), r"weights: \d+ tensors are missing, for instance encoder\.layer\.2"),
        (lambda f: write_kmers(f), "tokenizer: ACGUN is read as .*not as one token per residue"),
        (lambda f: edit(f, vocab_size=10), "tokenizer: ACGUN is read as .*not as one token per residue"),
        (lambda f: (f / "model.safetensors").unlink(), "weights: .*model.safetensors"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "weights: .*model.safetensors"),
        (lambda f: truncate(f / "model.safetensors"), "weights: "),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path: Path, folders: dict[str, Path], damage: Any, message: str) -> None:
    folder = shutil.copytree(folders["rnafm"], tmp_path / "model")
    damage(folder)
    with pytest.raises(InputError, match=rf"(?s)model: ({message})"):
        build_encoder(options(folder))


def edit(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def write_kmers(folder: Path) -> None:
    from multimolecule import RnaTokenizer

    RnaTokenizer(nmers=3).save_pretrained(folder)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def test_the_import_leaves_the_random_state() -> None:
    """multimolecule sets a fixed seed when it is imported: runs of different seeds would share their random numbers."""
    pytest.importorskip("multimolecule", reason="multimolecule (the extra lm) is not installed")
    code = (
        "import torch\n"
        "from rnagen.model.encoders.language_model import _import_multimolecule\n"
        "torch.manual_seed(5); torch.rand(3); before = torch.get_rng_state()\n"
        "_import_multimolecule()\n"
        "assert torch.equal(torch.get_rng_state(), before) and torch.initial_seed() == 5\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# From here on multimolecule need not be installed.


def test_nothing_imports_it_by_itself() -> None:
    code = (
        "import sys, rnagen, rnagen.model.encoders, rnagen.model.reactivity, rnagen.checkpoints.reactivity\n"
        "from rnagen.config.encoder import EncoderConfig\n"
        "rnagen.model.encoders.build_encoder(EncoderConfig())\n"
        "print(sorted({'multimolecule', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    class Hidden:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "multimolecule":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.delitem(sys.modules, "multimolecule", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
    shape = LanguageModelShape({"model_type": "rnafm"}, (6, 7, 8, 9, 10), (1,), (2,)).to_json()
    for config in (options(tmp_path), replace(options(tmp_path), language_model_shape=shape)):
        with pytest.raises(ConfigError, match=r"pip install 'rnagen\[lm\]'"):
            build_encoder(config)
    (tmp_path / "a.yaml").write_text(
        f"task: reactivity\nencoder: language-model\nlanguage_model: {tmp_path}\nbase_pairs: none\n"
    )
    assert main(["summary", str(tmp_path / "a.yaml")]) == 2
    assert "rnagen[lm]" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"config": {}, "bases": [6], "before": 1, "after": []}'])
def test_a_damaged_shape(text: str) -> None:
    with pytest.raises(ConfigError, match="language_model_shape: does not describe a language model"):
        LanguageModelShape.from_json(text)


def test_a_shape_is_json() -> None:
    shape = LanguageModelShape({"model_type": "rnafm", "num_hidden_layers": 7}, (6, 7, 8, 9, 10), (1,), ())
    assert LanguageModelShape.from_json(shape.to_json()) == shape
    config = replace(options(Path("somewhere")), language_model_shape=shape.to_json())
    assert config.layers == 7
    assert config == options(Path("somewhere")), "what started from the same folder is the same model"


def test_options_that_do_not_go_together() -> None:
    good = {"encoder": "language-model", "language_model": "somewhere", "base_pairs": "none"}
    assert load_config(EncoderConfig(), good, "f").language_model == Path("somewhere")
    assert load_config(EncoderConfig(), {**good, "encoder_dim": 192, "sigmoid": True}, "f").sigmoid
    bad: list[tuple[dict[str, Any], str]] = [
        ({"language_model": None}, "language_model: .*needs the folder"),
        ({"encoder": "transformer"}, "language_model: applies to the encoder language-model only, not to transformer"),
        (
            {"encoder": "convformer", "language_model": None, "language_model_shape": "{}"},
            "language_model_shape: applies to",
        ),
        ({"base_pairs": "projection"}, "base_pairs: 'projection' .*reads the sequence only"),
        ({"base_pairs": "bias"}, "base_pairs: 'bias' .*reads the sequence only"),
        *(({name: 2}, f"{name}: 2 .*has its own shape") for name in SHAPE_OPTIONS[1:5]),
        ({"encoder_dim": 64}, "encoder_dim: 64 .*has its own shape"),
        ({"kernel_size": 5}, "kernel_size: 5 .*has its own shape"),
        ({"max_offset": 8}, "max_offset: 8 .*has its own shape"),
        ({"encoder_dropout": 0.2}, "encoder_dropout: 0.2 .*has its own shape"),
    ]
    for changes, message in bad:
        with pytest.raises(ConfigError, match=rf"^f: {message}"):
            load_config(EncoderConfig(), {**good, **changes}, "f")
    assert set(SHAPE_OPTIONS) <= {item.name for item in fields(EncoderConfig)}
