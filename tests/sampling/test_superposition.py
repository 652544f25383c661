"""Conformers in the pose of the first."""

import numpy as np
import torch

from rnagen.geometry import random_rotations
from rnagen.sampling.superposition import on_first


def test_rigid_copies_fall_on_the_first_which_stays() -> None:
    generator = torch.Generator().manual_seed(1)
    one = torch.randn(9, 4, 3, generator=generator) * 10
    rotations = random_rotations(3, generator)
    copies = torch.einsum("nij,laj->nlai", rotations, one) + torch.randn(3, 1, 1, 3, generator=generator)
    coords = copies.numpy()
    moved = on_first(coords, 2)
    np.testing.assert_array_equal(moved[0], coords[0])
    np.testing.assert_allclose(moved, np.repeat(coords[:1], 3, 0), atol=1e-3)


def test_only_the_named_atom_counts_and_a_mirror_image_stays_one() -> None:
    generator = torch.Generator().manual_seed(2)
    one = torch.randn(9, 2, 3, generator=generator)
    other = one.clone()
    other[:, 0] += torch.randn(9, 3, generator=generator)
    moved = on_first(torch.stack([one, other]).numpy(), 1)
    np.testing.assert_allclose(moved[1, :, 1], one[:, 1].numpy(), atol=1e-4)
    mirrored = one * torch.tensor([1.0, 1.0, -1.0])
    moved = on_first(torch.stack([one, mirrored]).numpy(), 1)
    assert np.abs(moved[1, :, 1] - moved[0, :, 1]).max() > 0.1


def test_one_conformer_stays_as_it_is() -> None:
    coords = np.random.default_rng(0).normal(size=(1, 5, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(on_first(coords, 0), coords)
