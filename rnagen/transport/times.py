"""Training times: where on the path a network is trained, stratified over the copies of one sample."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.transport.checks import one_of

UNIFORM_SHARE = 0.02
"""Share of uniform times in the mixtures, so that no time remains untrained."""


def _logit_normal(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Quantiles of sigmoid(N(0.8, 1.7²))."""
    return torch.sigmoid(0.8 + 1.7 * torch.special.ndtri(u))


def _beta(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Quantiles of Beta(1.9, 1), whose distribution function is t^1.9."""
    return u ** (1 / 1.9)


QUANTILES: dict[str, Callable[[Tensor], Tensor] | None] = {
    "uniform": None,
    "logit-normal": _logit_normal,
    "beta": _beta,
}
"""Quantile function of each named distribution, mixed with `UNIFORM_SHARE` of uniform times; None is all uniform.

`logit-normal` has its mass near the data (Esser et al., arXiv:2403.03206); `beta` grows towards the data.
"""


def draw_times(name: str, batch: int, copies: int, generator: torch.Generator | None = None) -> Float[Tensor, "B K"]:
    """Times [batch, copies] in [0, 1] from a named distribution, on the device of `generator` (CPU without one).

    The copies of one sample are stratified: copy k has a time from the k-th of `copies` equally probable slices of the
    distribution. Each sample then has early and late times alike, which lowers the variance of its loss.

    Raises:
        ValueError: `name` is not in `QUANTILES`.
    """
    one_of("time distribution", name, QUANTILES)
    device = generator.device if generator is not None else torch.device("cpu")

    def uniform() -> Tensor:
        return torch.rand(batch, copies, generator=generator, device=device)

    u = (torch.arange(copies, device=device) + uniform()) / copies
    quantile = QUANTILES[name]
    if quantile is None:
        return u
    return torch.where(uniform() < UNIFORM_SHARE, uniform(), quantile(u))
