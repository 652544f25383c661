import torch
from torch import Tensor

from rnagen.allatom.minimise import minimise


def test_a_quadratic_bowl_ends_at_its_bottom() -> None:
    stiffness = torch.linspace(1, 100, 12).view(4, 3)
    bottom = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))

    def bowl(x: Tensor) -> tuple[Tensor, Tensor]:
        off = x.view(2, 4, 3) - bottom
        return 0.5 * (stiffness * off.square()).sum((1, 2)), (stiffness * off).view(-1, 3)

    found = minimise(bowl, torch.zeros(8, 3), 80)
    torch.testing.assert_close(found.view(2, 4, 3), bottom, atol=1e-3, rtol=0)


def test_the_energy_never_rises() -> None:
    def steep(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.view(1, -1).pow(4).sum(1) * 1e4, 4e4 * x.pow(3)

    start = torch.full((3, 3), 2.0)
    energies = [float(steep(minimise(steep, start, steps))[0]) for steps in (0, 5, 20, 60)]
    assert energies == sorted(energies, reverse=True)
