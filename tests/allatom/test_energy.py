from dataclasses import replace

import numpy as np
import pytest
import torch

from rnagen.allatom.complete import _placed, _topology
from rnagen.allatom.distances import joined
from rnagen.allatom.energy import BACKBONE, Bases, Energy
from rnagen.allatom.restraints import restraints, too_close
from rnagen.chemistry import COLUMN, base_columns, ideals
from rnagen.structure import RNAStructure, encode_sequence
from tests.helpers.helices import double_helix


def placed(beads: RNAStructure) -> tuple[Energy, torch.Tensor]:
    """The restraints with contacts, and coordinates on the grid that are off by some 0.1 Å."""
    there = beads.mask[0]
    topology = _topology(encode_sequence(beads.sequence).astype(np.int64), there, beads)
    start = _placed(beads.coords, there, topology)
    found = restraints(topology, start, beads.coords, there)
    noise = np.random.default_rng(0).normal(scale=0.1, size=start.shape).astype(np.float32)
    moved = start + np.where(topology.mask[..., None], noise, 0)
    energy = replace(found, pairs=joined([found.pairs, too_close(topology, moved)]))
    return energy, torch.from_numpy(moved).permute(0, 2, 3, 1)


@pytest.mark.parametrize("sequence", ["GACU", "GNAC"])
def test_the_gradient_is_that_of_the_energy(sequence: str) -> None:
    beads = double_helix("GACU", models=2)
    energy, x = placed(replace(beads, sequence=sequence + beads.sequence[4:]))
    z = energy.bases.free(x)
    _, gradient = energy(z)
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        along = torch.randn(z.shape, generator=generator)
        step = 1e-3
        up, down = (float(energy(z + sign * step * along)[0].double().sum()) for sign in (1, -1))
        expected = float((gradient * along).double().sum())
        assert abs((up - down) / (2 * step) - expected) < 0.02 * float(gradient.norm())


def test_an_atom_has_a_place_of_its_own_in_its_base() -> None:
    beads = double_helix("GACU")
    energy, _ = placed(beads)
    bases: Bases = energy.bases
    for k, base in enumerate(beads.sequence[:4]):
        flat = np.zeros((1, len(COLUMN), 3, len(beads)), dtype=np.float32)
        flat[0, base_columns(base), :, k] = ideals().bases[base]
        atoms = bases.atoms(bases.free(torch.from_numpy(flat)))
        np.testing.assert_allclose(atoms[0, :, :, k], flat[0, BACKBONE:, :, k], atol=1e-5)
