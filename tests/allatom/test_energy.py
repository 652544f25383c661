from dataclasses import replace

import numpy as np
import torch

from rnagen.allatom.complete import _placed, _topology
from rnagen.allatom.distances import joined
from rnagen.allatom.energy import Energy
from rnagen.allatom.restraints import restraints, too_close
from rnagen.structure import encode_sequence
from tests.helpers.helices import double_helix


def test_the_gradient_is_that_of_the_energy() -> None:
    beads = double_helix("GACU", models=2)
    there = beads.mask[0]
    topology = _topology(encode_sequence(beads.sequence).astype(np.int64), there, beads)
    start = _placed(beads.coords, there, topology)
    found = restraints(topology, start, beads.coords, there)
    noise = np.random.default_rng(0).normal(scale=0.1, size=start.shape).astype(np.float32)
    moved = start + np.where(topology.mask[..., None], noise, 0)
    found = replace(found, distances=joined([found.distances, too_close(topology, moved)]))
    energy = Energy(found, 2)
    x = torch.from_numpy(moved).reshape(-1, 3)
    _, gradient = energy(x)
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        along = torch.randn(x.shape, generator=generator) * torch.from_numpy(topology.mask).reshape(-1, 1).repeat(2, 1)
        step = 1e-3
        up, down = (float(energy(x + sign * step * along)[0].double().sum()) for sign in (1, -1))
        expected = float((gradient * along).double().sum())
        assert abs((up - down) / (2 * step) - expected) < 0.02 * float(gradient.norm())
