"""L-BFGS with a fixed number of steps, of many conformers side by side: each has its own step and its own history.

Nocedal and Wright, Numerical Optimization (2006), algorithm 7.4. A step that raises the energy is taken back and tried
at a third of its length. Conformers do not change one another's steps.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

HISTORY = 8
"""Steps from which the curvature is estimated."""
LONGEST = 0.25
"""Å; no atom moves farther in one step."""
SHORTEN = 0.3
FIRST = 0.02
"""Å; length of the first step of the atom that moves most."""

Function = Callable[[Float[Tensor, "N 3"]], tuple[Float[Tensor, " B"], Float[Tensor, "N 3"]]]


def minimise(function: Function, start: Float[Tensor, "N 3"], steps: int) -> Float[Tensor, "N 3"]:
    """Coordinates of lower energy after so many evaluations.

    Args:
        function: energies of B conformers and their gradient; N / B atoms belong to each.
        start: Å.
        steps: evaluations.
    """
    energy, gradient = function(start)
    batch = len(energy)
    here, gradient = start.view(batch, -1), gradient.view(batch, -1)
    memory = _Memory()
    step = _capped(-gradient, FIRST, exactly=True)
    for _ in range(steps):
        trial = here + step
        new_energy, new_gradient = function(trial.view(-1, 3))
        new_gradient = new_gradient.view(batch, -1)
        better = (new_energy <= energy)[:, None]
        memory.add(torch.where(better, step, 0), torch.where(better, new_gradient - gradient, 0))
        here = torch.where(better, trial, here)
        gradient = torch.where(better, new_gradient, gradient)
        energy = torch.where(better[:, 0], new_energy, energy)
        step = torch.where(better, _capped(memory.direction(gradient), LONGEST), step * SHORTEN)
    return here.view(-1, 3)


def _capped(step: Float[Tensor, "B n"], longest: float, exactly: bool = False) -> Float[Tensor, "B n"]:
    """The step, shortened so that no atom moves more than `longest`; `exactly`: or lengthened to it."""
    most = step.view(len(step), -1, 3).square().sum(-1).amax(1, keepdim=True).sqrt().clamp(min=1e-9)
    scale = longest / most
    return step * (scale if exactly else scale.clamp(max=1))


class _Memory:
    """The last steps of each conformer and how the gradient changed; a step of zero counts for nothing."""

    def __init__(self) -> None:
        self.moves: list[tuple[Tensor, Tensor, Tensor]] = []
        self.scale: Tensor | None = None

    def add(self, move: Float[Tensor, "B n"], change: Float[Tensor, "B n"]) -> None:
        curvature = (move * change).sum(1, keepdim=True)
        fine = curvature > 1e-10
        inverse = torch.where(fine, 1 / curvature.clamp(min=1e-10), 0)
        scale = curvature / change.square().sum(1, keepdim=True).clamp(min=1e-10)
        self.scale = torch.where(fine, scale, 1e-4 if self.scale is None else self.scale)
        self.moves = [*self.moves[-HISTORY + 1 :], (move, change, inverse)]

    def direction(self, gradient: Float[Tensor, "B n"]) -> Float[Tensor, "B n"]:
        result, factors = -gradient, []
        for move, change, inverse in reversed(self.moves):
            factor = inverse * (move * result).sum(1, keepdim=True)
            result = result - factor * change
            factors.append(factor)
        if self.scale is not None:
            result = result * self.scale
        for (move, change, inverse), factor in zip(self.moves, reversed(factors)):
            result = result + (factor - inverse * (change * result).sum(1, keepdim=True)) * move
        return result
