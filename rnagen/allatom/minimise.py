"""L-BFGS with a fixed number of steps, of many conformers side by side: each has its own step and its own history.

The inverse Hessian is the compact one of Byrd, Nocedal and Schnabel, Math. Program. 63, 129 (1994), theorem 2.2: two
products with all moves and changes at once, and matrices of the size of the history. A step that raises the energy is
taken back and tried at a third of its length. Conformers do not change one another's steps.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

HISTORY = 8
"""Steps from which the curvature is estimated."""
LONGEST = 0.25
"""Å; no atom moves farther in one step."""
SHORTEN = 0.3
FIRST = 0.02
"""Å; length of the first step of the atom that moves most."""
LEAST_CURVATURE = 1e-10
"""Moves along which the gradient grows by less are not remembered."""
WATCHED = 10
"""Evaluations within which the energy has to fall."""

Function = Callable[[Float[Tensor, "B A 3 L"]], tuple[Float[Tensor, " B"], Float[Tensor, "B A 3 L"]]]


def minimise(
    function: Function, start: Float[Tensor, "B A 3 L"], steps: int, enough: float = 0.0
) -> Float[Tensor, "B A 3 L"]:
    """Coordinates of lower energy.

    Args:
        function: energies of the conformers and their gradient.
        start: Å.
        steps: evaluations at most.
        enough: a conformer whose energy falls by no more than this within `WATCHED` evaluations stays as it is then.
    """
    here = start
    energy, gradient = function(here)
    memory = _Memory(gradient.flatten(1))
    step = _capped(-gradient, FIRST, exactly=True)
    before, running = energy, torch.ones_like(energy, dtype=torch.bool)
    for count in range(1, steps + 1):
        trial = here + step
        new_energy, new_gradient = function(trial)
        better = (new_energy <= energy) & running
        fits = better[:, None, None, None]
        if better.all():
            move, change = step, new_gradient - gradient
            here, gradient, energy = trial, new_gradient, new_energy
        else:
            move, change = torch.where(fits, step, 0), torch.where(fits, new_gradient - gradient, 0)
            here, gradient = torch.where(fits, trial, here), torch.where(fits, new_gradient, gradient)
            energy = torch.where(better, new_energy, energy)
        direction = memory.direction(*(one.flatten(1) for one in (move, change, gradient)))
        step = torch.where(fits, _capped(direction.view_as(here), LONGEST), step * SHORTEN)
        if count % WATCHED == 0:
            running = running & (before - energy > enough)
            before = energy
            if not running.any():
                break
    return here


def _capped(step: Float[Tensor, "B A 3 L"], longest: float, exactly: bool = False) -> Float[Tensor, "B A 3 L"]:
    """The step, shortened so that no atom moves more than `longest`; `exactly`: or lengthened to it."""
    a, b, c = step.unbind(2)
    most = (a * a + b * b + c * c).amax((1, 2)).sqrt().clamp(min=1e-9)
    scale = longest / most
    return step * (scale if exactly else scale.clamp(max=1))[:, None, None, None]


class _Memory:
    """The last moves of each conformer and how the gradient changed; a move of zero counts for nothing."""

    def __init__(self, like: Float[Tensor, "B n"]) -> None:
        batch, size = like.shape
        self.count = 0
        self.pairs = like.new_zeros(batch, 2 * HISTORY, size)
        """Moves, then changes."""
        self.products = like.new_zeros(batch, 2 * HISTORY, 2 * HISTORY, dtype=torch.float64)
        """Of all moves and changes with one another."""
        self.scale = torch.full((batch, 1, 1), 1e-4, dtype=torch.float64)

    def direction(
        self, move: Float[Tensor, "B n"], change: Float[Tensor, "B n"], gradient: Float[Tensor, "B n"]
    ) -> Float[Tensor, "B n"]:
        """Remember a move, and give the next: minus the inverse Hessian times the gradient."""
        curvature = (move * change).sum(1)
        fine = curvature > LEAST_CURVATURE
        if not fine.all():
            move, change = torch.where(fine[:, None], move, 0), torch.where(fine[:, None], change, 0)
        place = self.count % HISTORY
        self.count += 1
        both = [place, HISTORY + place]
        self.pairs[:, place], self.pairs[:, HISTORY + place] = move, change
        new = torch.bmm(torch.stack([move, change, gradient], 1), self.pairs.mT).double()
        self.products[:, both] = new[:, :2]
        self.products[:, :, both] = new[:, :2].mT
        scale = (curvature / change.square().sum(1))[:, None, None].double()
        self.scale = torch.where(fine[:, None, None], scale, self.scale)
        moves = [(self.count + k) % HISTORY for k in range(HISTORY)]
        order = torch.tensor([*moves, *(HISTORY + k for k in moves)])
        factors = self._factors(self.products[:, order][:, :, order], new[:, 2, order, None])
        factors = torch.zeros_like(factors).index_copy_(1, order, factors).mT.to(move.dtype)
        return torch.bmm(factors, self.pairs)[:, 0] - self.scale[:, 0].to(move.dtype) * gradient

    def _factors(
        self, products: Float64[Tensor, "B M M"], slopes: Float64[Tensor, "B M 1"]
    ) -> Float64[Tensor, "B M 1"]:
        """Of moves and changes, oldest first, in the direction."""
        by_change, along, changes = products[:, :HISTORY, HISTORY:], slopes[:, :HISTORY], slopes[:, HISTORY:]
        curvature = by_change.diagonal(dim1=1, dim2=2)
        # One in place of zero, for moves that count for nothing.
        upper = by_change.triu() + torch.diag_embed((curvature == 0).double())
        inner = torch.diag_embed(curvature) + self.scale * products[:, HISTORY:, HISTORY:]
        u = torch.linalg.solve_triangular(upper, along, upper=True)
        a = torch.linalg.solve_triangular(upper.mT, inner @ u - self.scale * changes, upper=False)
        return torch.cat([-a, self.scale * u], 1)
