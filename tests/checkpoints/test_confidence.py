"""A head on disk: found beside its structure model, refused beside another."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from rnagen.checkpoints.confidence import (
    StructureModelId,
    confidence_path,
    find_confidence,
    load_confidence_checkpoint,
    save_confidence_checkpoint,
)
from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.errors import InputError
from rnagen.features import from_sequence
from rnagen.sampling.confidence import confidence_logits, confidence_of
from tests.helpers.scored import TINY_HEAD, tiny_head
from tests.helpers.tiny import TINY, TINY_MODEL, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"


@pytest.fixture
def structure(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    return path


@pytest.fixture
def head(structure: Path) -> Path:
    path = confidence_path(structure)
    structure_model = StructureModelId.of(load_checkpoint(structure))
    save_confidence_checkpoint(path, tiny_head(), structure_model, {"cutoff": "2022-05-27", "step": 3})
    return path


def test_round_trip_beside_the_structure_model(structure: Path, head: Path) -> None:
    assert head.name == "tiny.confidence.safetensors"
    assert head.with_suffix(".json").is_file()
    checkpoint = load_checkpoint(structure)
    found = find_confidence(checkpoint)
    assert found is not None
    assert found.head.config == TINY_HEAD
    assert found.metadata["step"] == 3
    c1 = torch.cumsum(torch.randn(3, len(SEQUENCE), 3, generator=torch.Generator().manual_seed(0)) * 4, 1)
    with torch.no_grad():
        context = checkpoint.model.condition(from_sequence(TINY_MODEL, SEQUENCE))
    before = confidence_logits(tiny_head(), context, c1)
    assert torch.equal(confidence_logits(found.head, context, c1).tm, before.tm)
    confidence = confidence_of(before)
    assert confidence.lddt.shape == (3, len(SEQUENCE))
    assert ((confidence.lddt > 0) & (confidence.lddt < 1)).all()
    assert (confidence.of([2, 0]).tm == confidence.tm[[2, 0]]).all()


def test_a_head_of_another_structure_model_is_refused(structure: Path, head: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    model = tiny_model()
    with torch.no_grad():
        next(model.parameters()).add_(1)
    save_checkpoint(other, model, TINY, {"cutoff": "2022-05-27"})
    for suffix in (".safetensors", ".json"):
        shutil.copyfile(head.with_suffix(suffix), confidence_path(other).with_suffix(suffix))
    with pytest.raises(InputError, match=r"other\.confidence\.safetensors.*another structure model"):
        find_confidence(load_checkpoint(other))


def test_damaged_descriptions_and_other_tasks(structure: Path, head: Path) -> None:
    with pytest.raises(InputError, match="of the structure model, not of the confidence model"):
        load_confidence_checkpoint(structure)
    with pytest.raises(InputError, match="of the confidence model, not of the structure model"):
        load_checkpoint(head)
    described = json.loads(head.with_suffix(".json").read_text())
    for structure_model, words in (
        (None, "does not identify a structure model"),
        ({**described["structure_model"], "embed_dim": 48}, "single"),
    ):
        head.with_suffix(".json").write_text(json.dumps({**described, "structure_model": structure_model}))
        with pytest.raises(InputError, match=words):
            load_confidence_checkpoint(head)
    head.with_suffix(".json").unlink()
    with pytest.raises(InputError, match="no such file"):
        find_confidence(load_checkpoint(structure))
