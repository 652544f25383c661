"""What a network predicts, and the closed-form conversions between all of it.

Every prediction of a state x_t is one equation about its two ends, the data x1 and the noise x0. With
x_t = α·x1 + σ·x0 it determines both of them, and they determine every other prediction:

    velocity v = α'·x1 + σ'·x0        noise x0        score = −x0 / σ        data x1

(Ma et al., SiT, arXiv:2401.08740; Kingma and Gao, arXiv:2303.00848.)
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from rnagen.transport.interpolants import Coefficients

PREDICTIONS = ("velocity", "noise", "score", "data")


class Ends(NamedTuple):
    """The two ends of a path, [B, ...]."""

    data: Tensor
    noise: Tensor


def ends_from(
    kind: str, prediction: Float[Tensor, " B *dims"], x_t: Float[Tensor, " B *dims"], coefficients: Coefficients
) -> Ends:
    """Data and noise that a prediction of the given kind implies at x_t.

    Raises:
        ValueError: `kind` is not in `PREDICTIONS`.
    """
    alpha, sigma, d_alpha, d_sigma = coefficients.expand_to(x_t)
    if kind == "velocity":
        # Cramer's rule on [α σ; α' σ'] [x1; x0] = [x_t; v].
        determinant = alpha * d_sigma - sigma * d_alpha
        data = (d_sigma * x_t - sigma * prediction) / determinant
        noise = (alpha * prediction - d_alpha * x_t) / determinant
        return Ends(data, noise)
    if kind == "data":
        return Ends(prediction, (x_t - alpha * prediction) / sigma)
    if kind == "noise":
        return Ends((x_t - sigma * prediction) / alpha, prediction)
    if kind == "score":
        return Ends((x_t + sigma.square() * prediction) / alpha, -sigma * prediction)
    raise ValueError(f"unknown prediction {kind!r}: choose one of {', '.join(PREDICTIONS)}")


def prediction_from(kind: str, ends: Ends, coefficients: Coefficients) -> Float[Tensor, " B ..."]:
    """The prediction of the given kind that belongs to two ends: what a perfect network would say.

    Raises:
        ValueError: `kind` is not in `PREDICTIONS`.
    """
    _, sigma, d_alpha, d_sigma = coefficients.expand_to(ends.data)
    if kind == "velocity":
        return d_alpha * ends.data + d_sigma * ends.noise
    if kind == "data":
        return ends.data
    if kind == "noise":
        return ends.noise
    if kind == "score":
        return -ends.noise / sigma
    raise ValueError(f"unknown prediction {kind!r}: choose one of {', '.join(PREDICTIONS)}")


def convert(
    prediction: Float[Tensor, " B *dims"],
    x_t: Float[Tensor, " B *dims"],
    coefficients: Coefficients,
    *,
    source: str,
    target: str,
) -> Float[Tensor, " B *dims"]:
    """A prediction of kind `source` as one of kind `target`; the same tensor where they are the same kind."""
    if source == target:
        return prediction
    return prediction_from(target, ends_from(source, prediction, x_t, coefficients), coefficients)
