import torch
from torch import Tensor

from rnagen.allatom.minimise import WATCHED, minimise


def test_a_quadratic_bowl_ends_at_its_bottom() -> None:
    stiffness = torch.linspace(1, 100, 12).view(4, 3, 1)
    bottom = torch.randn(2, 4, 3, 1, generator=torch.Generator().manual_seed(0))

    def bowl(x: Tensor) -> tuple[Tensor, Tensor]:
        off = x - bottom
        return 0.5 * (stiffness * off.square()).sum((1, 2, 3)), stiffness * off

    torch.testing.assert_close(minimise(bowl, torch.zeros(2, 4, 3, 1), 80), bottom, atol=1e-3, rtol=0)


def test_the_energy_never_rises() -> None:
    def steep(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.pow(4).sum((1, 2, 3)) * 1e4, 4e4 * x.pow(3)

    start = torch.full((1, 3, 3, 1), 2.0)
    energies = [float(steep(minimise(steep, start, steps))[0]) for steps in (0, 5, 20, 60)]
    assert energies == sorted(energies, reverse=True)


def test_a_conformer_that_gains_little_stays_and_the_others_go_on() -> None:
    calls = []

    def slopes(x: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(1)
        stiffness = torch.tensor([1e-6, 1.0])[:, None, None, None] * torch.linspace(1, 900, 12).view(4, 3, 1)
        return 0.5 * (stiffness * x.square()).sum((1, 2, 3)), stiffness * x

    start = torch.ones(2, 4, 3, 1)
    found = minimise(slopes, start, 200, enough=0.01)
    first = minimise(slopes, start, WATCHED, enough=0.01)
    torch.testing.assert_close(found[0], first[0], rtol=0, atol=0)
    assert float(slopes(found)[0][1]) < 0.1 * float(slopes(first)[0][1])
    assert len(calls) < 200
