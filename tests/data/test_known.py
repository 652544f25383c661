"""What a dataset knows of a training chain besides the answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rnagen.data.batches import DeviceChains
from rnagen.data.known import KnownStructures
from rnagen.data.plans import CHOICES, BatchPlan
from rnagen.data.references import ChainReferences
from tests.helpers.tiny import make_chain, stacked


def templates(folder: Path) -> Path:
    """Two templates of chain a (30 residues): all of it, in which residue k stands at (k, 0, 0), and its half."""
    line = torch.zeros(30, 4, 3)
    line[..., 0] = torch.arange(30.0)[:, None]
    mask = torch.ones(60, 4, dtype=torch.bool)
    mask[45:] = False
    coords = torch.cat([line, line]) * mask[..., None]
    trust, lengths = torch.tensor([0.8, 0.3]), torch.tensor([30, 30])
    path = folder / "references.safetensors"
    ChainReferences(("a", "a"), ("1aaa_A", "2bbb_B"), trust, lengths, coords, mask).write(path)
    return path


def plan(rows: list[int], length: int, seed: int = 3) -> BatchPlan:
    choices = np.random.default_rng(seed).random((len(rows), CHOICES), dtype=np.float32)
    return BatchPlan(np.array(rows), choices, length, seed)


def known(folder: Path, length: int = 16, rows: tuple[int, ...] = (0, 1, 2, 3), **options: int):
    chains = [
        replace(make_chain(30), name="a"),
        replace(make_chain(30, seed=1, models=3), name="b"),
        replace(make_chain(12, seed=2), name="a/9/0"),
        replace(make_chain(30, seed=3), name="c"),
    ]
    held = stacked(chains)
    source = DeviceChains(held, 0.0, known=KnownStructures(held, templates(folder), 2, "cpu"))
    return source.batch(plan(list(rows), length), **options)


def test_templates_are_cropped_as_the_chain_is(tmp_path: Path) -> None:
    batch = known(tmp_path)
    references = batch.features.references
    assert references is not None
    first = batch.features.residue_index[0, 0] - 1
    for slot in range(2):
        there = references.mask[0, slot, :, 2]
        assert there.any()
        steps = references.coords[0, slot, there, 2, 0]
        assert torch.equal(steps - steps[0], (torch.arange(16.0)[there] - torch.arange(16.0)[there][0]))
    # Predicted scores count the residues that a template lacks; the trust is of those that it has.
    assert set(references.trust[0, :, 0].tolist()) <= {np.float32(0.8), np.float32(0.6)}
    assert first >= 0


def test_a_domain_has_the_part_of_its_parents_templates(tmp_path: Path) -> None:
    references = known(tmp_path).features.references
    assert references is not None
    file = ChainReferences.open(tmp_path / "references.safetensors")
    there = references.mask[2, 0, :, 0]
    assert there[:12].any()
    assert not there[12:].any()
    assert any(torch.equal(references.coords[2, 0, 0], file.reference(k)[0][9]) for k in range(2))


def test_another_model_serves_where_there_is_one(tmp_path: Path) -> None:
    batch = known(tmp_path, length=30)
    references = batch.features.references
    assert references is not None
    assert references.trust[1].isnan().all()
    models = torch.from_numpy(make_chain(30, seed=1, models=3).coords)
    for slot in range(2):
        differences = (models - references.coords[1, slot]).abs().amax((1, 2, 3))
        assert differences.min() == 0
        assert not torch.equal(references.coords[1, slot], batch.coords[1])
    assert not references.mask[3].any()


def test_processes_see_their_part_of_the_same_batch(tmp_path: Path) -> None:
    whole = known(tmp_path).features.references
    assert whole is not None
    for rank in range(2):
        part = known(tmp_path, rank=rank, world=2).features.references
        assert part is not None
        assert torch.equal(part.coords, whole.coords[rank::2])
        assert torch.equal(part.trust.nan_to_num(-1), whole.trust.nan_to_num(-1)[rank::2])
