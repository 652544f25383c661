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
from rnagen.config.confidence import HeadConfig
from rnagen.config.sampling import SamplerConfig
from rnagen.errors import InputError
from rnagen.sampling.confidence import CHUNK_PAIRS, chunk_of, confidence_logits, confidence_of
from rnagen.sampling.ensemble import estimated_memory, features_of
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
    features = features_of(SEQUENCE)
    before = confidence_logits(checkpoint.model, tiny_head(), features, c1)
    assert torch.equal(confidence_logits(checkpoint.model, found.head, features, c1).tm, before.tm)
    confidence = confidence_of(before)
    assert confidence.lddt.shape == (3, len(SEQUENCE))
    assert ((confidence.lddt > 0) & (confidence.lddt < 1)).all()
    assert (confidence.of([2, 0]).tm == confidence.tm[[2, 0]]).all()


def test_conformers_are_judged_one_by_one_whatever_the_chunk(structure: Path, monkeypatch) -> None:
    checkpoint, head = load_checkpoint(structure), tiny_head()
    c1 = torch.cumsum(torch.randn(5, len(SEQUENCE), 3, generator=torch.Generator().manual_seed(0)) * 4, 1)
    together = confidence_logits(checkpoint.model, head, features_of(SEQUENCE), c1)
    monkeypatch.setattr("rnagen.sampling.confidence.chunk_of", lambda length: 2)
    parts = confidence_logits(checkpoint.model, head, features_of(SEQUENCE), c1)
    torch.testing.assert_close(parts.lddt, together.lddt, rtol=0, atol=1e-5)
    torch.testing.assert_close(parts.tm, together.tm, rtol=0, atol=1e-5)
    assert chunk_of(5000) == 1
    assert chunk_of(100) * 100**2 <= CHUNK_PAIRS


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


def test_memory_counts_chunks_not_the_pool() -> None:
    options, head = SamplerConfig(), HeadConfig()
    few, many = (estimated_memory(300, n, TINY_MODEL, options, None, head) for n in (50, 5000))
    assert few == many
    # A head wider than the trunk is what counts.
    wide = HeadConfig(head_pair_dim=96)
    assert estimated_memory(1000, 5, TINY_MODEL, options, None, wide) > estimated_memory(1000, 5, TINY_MODEL, options)
