"""Transport: a path and a kind of prediction, put together for training and for sampling."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.transport.interpolants import PATHS, Coefficients, clamp_time, time_of_alpha
from rnagen.transport.prediction import PREDICTIONS, Ends, convert, ends_from, prediction_from
from rnagen.transport.solvers.sde import Estimate

LOSS_WEIGHTS = ("none", "velocity", "likelihood")
NOISE_START = 0.1
"""α at which models of noise or score begin: their errors are divided by it in the estimated structure. Begun at t = 0,
their conformers were worse than random walks."""


class TrainingPair(NamedTuple):
    """A point of a path and the velocity there, with what they were made of."""

    x_t: Float[Tensor, " B *dims"]
    u_t: Float[Tensor, " B *dims"]
    x1: Float[Tensor, " B *dims"]
    x0: Float[Tensor, " B *dims"]
    t: Float[Tensor, " B"]
    """Times at which x_t was really made, inside the clamp: what the network has to be told."""


class Transport:
    """The flow from noise (t = 0) to data (t = 1) along a named path, for a network that predicts a named quantity.

    Times are [B] and broadcast over the trailing axes of x [B, ...]. Paths are only evaluated inside `clamp_time`.

    Args:
        path: one of `PATHS`.
        prediction: what the network's output is, one of `PREDICTIONS`.
        loss_weight: "none"; "velocity" or "likelihood" for noise and score predictions only (see `loss`).

    Raises:
        ValueError: an unknown name, or a loss weight that is not defined for the prediction.
    """

    def __init__(self, path: str = "Linear", prediction: str = "velocity", loss_weight: str = "none") -> None:
        for name, value, allowed in (
            ("path", path, tuple(PATHS)),
            ("prediction", prediction, PREDICTIONS),
            ("loss weight", loss_weight, LOSS_WEIGHTS),
        ):
            if value not in allowed:
                raise ValueError(f"unknown {name} {value!r}: choose one of {', '.join(allowed)}")
        if loss_weight != "none" and prediction not in ("noise", "score"):
            raise ValueError(f"loss weight {loss_weight!r} is for noise and score predictions, not for {prediction!r}")
        self.path = PATHS[path]
        self.closes = float(self.path(torch.ones(())).sigma) < 1e-3
        """Whether the path ends at the data. Where it does not, a sampler ends with the estimate of the data."""
        divides_by_alpha = prediction in ("noise", "score")
        self.start = time_of_alpha(self.path, NOISE_START) if divides_by_alpha else 0.0
        """Time at which noise is first taken for a point of the path, and the data estimated from it."""
        self.prediction = prediction
        self.loss_weight = loss_weight

    def coefficients(self, t: Float[Tensor, " B"]) -> Coefficients:
        """α, σ, α', σ' at the clamped times, each [B]."""
        return self.path(clamp_time(t))

    def interpolate(
        self, x1: Float[Tensor, " B *dims"], x0: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> TrainingPair:
        """x_t = α·x1 + σ·x0 and u_t = α'·x1 + σ'·x0 for data x1, noise x0 and times t."""
        t = clamp_time(t)
        alpha, sigma, d_alpha, d_sigma = self.path(t).expand_to(x1)
        return TrainingPair(alpha * x1 + sigma * x0, d_alpha * x1 + d_sigma * x0, x1, x0, t)

    def target(
        self, x1: Float[Tensor, " B *dims"], x0: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> Float[Tensor, " B *dims"]:
        """What the network should have predicted between data x1 and noise x0 at times t."""
        return prediction_from(self.prediction, Ends(x1, x0), self.coefficients(t))

    @torch.no_grad()
    def aligned_target(
        self, prediction: Float[Tensor, " B *dims"], pair: TrainingPair, align: Callable[[Tensor, Tensor], Tensor]
    ) -> Float[Tensor, " B *dims"]:
        """The target for the same noise, with the data moved by `align(x1, x̂1)` onto the predicted data x̂1.

        A network that is not equivariant then need not guess the pose. Noise and score targets do not contain
        the data and stay as they are. No gradient flows through the target.
        """
        return self.target(align(pair.x1, self.data(prediction, pair.x_t, pair.t)), pair.x0, pair.t)

    def loss(
        self,
        prediction: Float[Tensor, " B *dims"],
        target: Float[Tensor, " B *dims"],
        mask: Bool[Tensor, " B ..."],
        t: Float[Tensor, " B"],
    ) -> Float[Tensor, " B"]:
        """Mean squared error of each sample over its unmasked elements, times the loss weight; 0 where all is masked.

        `mask` covers the leading axes of the prediction and counts for all of the trailing ones. Float32 or better.

        A score error is scaled by σ, so that score and noise networks minimise the same loss. With the diffusion
        variance g = σ²·α'/α − σ·σ' the weights are (g/σ)² for "velocity", which makes it the velocity loss, and
        g/σ² for "likelihood" (Ma et al., SiT, arXiv:2401.08740).
        """
        c = self.coefficients(t)
        error = prediction.to(target.dtype) - target
        if self.prediction == "score":
            error = error * c.expand_to(error).sigma
        counted = mask.reshape(mask.shape + (1,) * (error.ndim - mask.ndim)).expand(error.shape).flatten(1)
        square = torch.where(counted, error.flatten(1).square(), 0.0)
        mean = square.sum(1) / counted.sum(1).clamp(min=1)
        variance = c.sigma.square() * c.d_alpha / c.alpha - c.sigma * c.d_sigma
        if self.loss_weight == "velocity":
            return mean * (variance / c.sigma).square()
        if self.loss_weight == "likelihood":
            return mean * variance / c.sigma.square()
        return mean

    def _convert(self, prediction: Tensor, x_t: Tensor, t: Tensor, target: str) -> Tensor:
        return convert(prediction, x_t, self.coefficients(t), source=self.prediction, target=target)

    def velocity(
        self, prediction: Float[Tensor, " B *dims"], x_t: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> Float[Tensor, " B *dims"]:
        """Velocity of the probability-flow equation dx/dt = v at x_t."""
        return self._convert(prediction, x_t, t, "velocity")

    def score(
        self, prediction: Float[Tensor, " B *dims"], x_t: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> Float[Tensor, " B *dims"]:
        """Score ∇ log p_t at x_t."""
        return self._convert(prediction, x_t, t, "score")

    def data(
        self, prediction: Float[Tensor, " B *dims"], x_t: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> Float[Tensor, " B *dims"]:
        """x̂1, the expected data given x_t."""
        return self._convert(prediction, x_t, t, "data")

    def estimate(
        self, prediction: Float[Tensor, " B *dims"], x_t: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> Estimate:
        """All that a solver asks of the network at x_t, from one evaluation of it."""
        return Estimate(
            self.velocity(prediction, x_t, t), self.score(prediction, x_t, t), self.data(prediction, x_t, t)
        )

    def estimate_from_data(
        self, data: Float[Tensor, " B *dims"], x_t: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> Estimate:
        """The same for an estimate of the data in place of the network's prediction."""
        c = self.coefficients(t)
        velocity, score = (convert(data, x_t, c, source="data", target=kind) for kind in ("velocity", "score"))
        return Estimate(velocity, score, data)

    def ends(
        self, prediction: Float[Tensor, " B *dims"], x_t: Float[Tensor, " B *dims"], t: Float[Tensor, " B"]
    ) -> Ends:
        """x̂1 and x̂0 that the prediction implies at x_t."""
        return ends_from(self.prediction, prediction, x_t, self.coefficients(t))
