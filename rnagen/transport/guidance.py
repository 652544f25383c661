"""Guidance: a better prediction by going past the difference of two."""

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
    arXiv:2406.02507). In terms of scores it samples, at each noise level, p_c^scale · p_u^(1 − scale). Every kind of
    prediction is affine in the score with a slope that x_t's time alone decides, so that any may be guided.

    Args:
        conditional: c, the prediction to improve.
        unconditional: u, the prediction to go away from.
        scale: 1 returns `conditional` itself, 0 is `unconditional`, above 1 guides.
        superpose: moves u onto c first. For data estimates of networks that do not fix the pose: the two may
            differ by a rotation, which is no difference to amplify.
    """
    if scale == 1:
        return conditional
    start = unconditional if superpose is None else superpose(unconditional, conditional)
    return start + scale * (conditional - start)
