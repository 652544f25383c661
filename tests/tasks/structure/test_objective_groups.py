"""The training loss of a model that samples conformers in groups."""

from dataclasses import replace

import pytest
import torch

from rnagen.data.batches import Batch, DeviceChains
from rnagen.errors import ConfigError
from rnagen.geometry import random_rotations, superpose
from rnagen.tasks.structure.objective import draw_noise, superposed_groups
from rnagen.tasks.structure.task import other_shape
from tests.helpers.losses import losses
from tests.helpers.tiny import TINY, TINY_MODEL, make_chain, make_draw, stacked, tiny_model

GROUPED = replace(TINY, model=replace(TINY_MODEL, num_conformers=2), dataset=replace(TINY.dataset, copies=4))


def batch_of(models: int) -> Batch:
    chains = [make_chain(20, seed=1, models=models), make_chain(14, seed=2, models=models, resolved=0.9)]
    on_device = DeviceChains(stacked(chains), 0.0)
    on_device.conformers = 2
    return on_device.batch(make_draw(chains))


def test_the_conformers_of_a_group_have_one_pose_and_one_time() -> None:
    noise = draw_noise(batch_of(3), GROUPED, step=0)
    for values in (noise.rotation, noise.t):
        assert torch.equal(values[:, ::2], values[:, 1::2])
        assert (values[:, 0] != values[:, 2]).any()
    assert (noise.noise[:, 0] != noise.noise[:, 1]).any()


def test_each_copy_learns_its_own_model() -> None:
    """The loss of a group of two is the mean of the losses for each model, for a network that sees no group."""
    batch = batch_of(3)
    plain = replace(GROUPED, model=replace(TINY_MODEL, num_conformers=1))
    noise, model = draw_noise(batch, GROUPED, step=0), tiny_model(plain)
    found = losses(batch, noise, model, plain)
    coords, mask = batch.models
    expected = []
    for copy in range(4):
        one = replace(batch, coords=coords[:, copy % 2], mask=mask[:, copy % 2], models=None)
        part = {name: getattr(noise, name)[:, copy : copy + 1] for name in ("rotation", "t", "noise")}
        expected.append(losses(one, replace(noise, **part), model, plain))
    assert (expected[0]["flow"] - expected[1]["flow"]).abs().min() > 1e-3
    for name in ("flow", "lddt", "drmsd", "aligned_mae"):
        torch.testing.assert_close(found[name], torch.stack([one[name] for one in expected]).mean(0))


def test_a_group_is_aligned_as_one() -> None:
    generator = torch.Generator().manual_seed(0)
    first, mask = torch.randn(6, 10, 3, generator=generator), torch.rand(6, 10, generator=generator) < 0.8
    turns = random_rotations(3, generator).repeat_interleave(2, dim=0)
    target = first @ turns.mT
    torch.testing.assert_close(superposed_groups(first, target, mask, 2), target)
    assert torch.equal(superposed_groups(first, target, mask, 1), superpose(first, target, mask))
    # Turned against each other, they cannot be aligned together, though each alone can.
    apart = first @ random_rotations(6, generator).mT
    torch.testing.assert_close(superposed_groups(first, apart, mask, 1), apart)
    error = (superposed_groups(first, apart, mask, 2) - apart).abs().amax((1, 2))
    assert error.min() > 0.1


def test_chains_of_one_model_repeat_it() -> None:
    batch = batch_of(1)
    torch.testing.assert_close(batch.models[0][:, 1], batch.models[0][:, 0], atol=1e-4, rtol=0)
    noise = draw_noise(batch, GROUPED, step=0)
    plain = replace(batch, models=None)
    model = tiny_model(GROUPED)
    for name, value in losses(plain, noise, model, GROUPED).items():
        torch.testing.assert_close(losses(batch, noise, model, GROUPED)[name], value, atol=1e-4, rtol=1e-4)


def test_copies_make_whole_groups() -> None:
    with pytest.raises(ConfigError, match="copies: 3 copies do not make whole groups of num_conformers 2"):
        replace(GROUPED, dataset=replace(TINY.dataset, copies=3))
    paths = replace(TINY.loss, consistency_weight=1.0)
    replace(GROUPED, loss=paths)
    with pytest.raises(ConfigError, match="in both halves of a consistency loss"):
        replace(GROUPED, loss=paths, dataset=replace(TINY.dataset, copies=6))


def test_weights_of_a_model_without_the_new_parts_start_one_with_them() -> None:
    reads = replace(TINY_MODEL, references=2)
    assert not other_shape(replace(reads, ipa="prepend", num_conformers=4), TINY_MODEL)
    assert "num_conformers" in other_shape(TINY_MODEL, GROUPED.model)
    assert "ipa" in other_shape(replace(reads, ipa="prepend"), replace(reads, ipa="interleave"))
