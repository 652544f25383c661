"""Guidance: extrapolate from a worse prediction through a better one."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

Superposition = Callable[[Tensor, Tensor], Tensor]
"""(mobile [n, ...], target [n, ...]) -> `mobile` moved onto `target`"""


def guided(
    conditional: Float[Tensor, "*dims"],
    unconditional: Float[Tensor, "*dims"],
    scale: float,
    superpose: Superposition | None = None,
) -> Float[Tensor, "*dims"]:
    """u + scale·(c − u) for two predictions of the same kind at the same x_t.

    With c and u of one network with and without its condition this is classifier-free guidance (Ho and Salimans,
    arXiv:2207.12598, whose w is scale − 1); with u of a worse network it is autoguidance (Karras et al.,
    arXiv:2406.02507). In terms of scores it samples p_c^scale · p_u^(1 − scale) at each noise level. Every kind of
    prediction is affine in the score with a slope that depends on the time alone, so any kind can be guided.

    Args:
        conditional: c, the prediction to improve.
        unconditional: u, the prediction to move away from.
        scale: 1 returns `conditional` itself, 0 gives `unconditional`, above 1 guides.
        superpose: moves u onto c first. For data estimates of networks that do not fix the pose: the two may
            differ by a rotation, which should not be amplified.
    """
    if scale == 1:
        return conditional
    start = unconditional if superpose is None else superpose(unconditional, conditional)
    return start + scale * (conditional - start)
