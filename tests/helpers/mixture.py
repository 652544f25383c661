"""The analytic ground truth with modes: mixtures of Gaussians, whose posterior means are known in closed form too."""

import numpy as np
import torch
from torch import Tensor

from rnagen.transport.flow import Estimate
from rnagen.transport.interpolants import PATHS, Coefficients, clamp_time


class Mixture:
    """Data Σ_k w_k N(m_k, S_k) in two dimensions, float64. On any path x_t is the mixture of N(α·m_k, α²·S_k + σ²).

    Args:
        weights: [K], sum 1.
        means: [K, 2].
        covariances: [K, 2, 2].
    """

    def __init__(self, weights: list[float], means: list, covariances: list) -> None:
        self.weights = torch.tensor(weights, dtype=torch.float64)
        self.means = torch.tensor(means, dtype=torch.float64)
        variances, axes = torch.linalg.eigh(torch.tensor(covariances, dtype=torch.float64))
        # The axes of all components' covariances side by side, 2K of them.
        self.axes, self.variances = axes.transpose(1, 2).reshape(-1, 2), variances.flatten()
        self.component = torch.arange(len(weights)).repeat_interleave(2)
        self.centres = (self.axes * self.means[self.component]).sum(-1)

    def _whitened(self, x: Tensor, c: Coefficients) -> tuple[Tensor, Tensor]:
        """x [B, 2] seen along every axis, where a component of x_t is diagonal: the distance from its mean over its
        variance, and that variance; both [B, 2K]."""
        alpha, sigma = c.alpha[:, None], c.sigma[:, None]
        variance = alpha.square() * self.variances + sigma.square()
        return (x @ self.axes.T - alpha * self.centres) / variance, variance

    def _log_joint(self, whitened: Tensor, variance: Tensor) -> Tensor:
        """log w_k + log N(x; component k) + log 2π, [B, K]."""
        terms = whitened.square() * variance + variance.log()
        return self.weights.log() - 0.5 * (terms[:, ::2] + terms[:, 1::2])

    def log_density(self, x: Tensor, c: Coefficients) -> Tensor:
        """log p_t(x) + log 2π, [B]."""
        return self._log_joint(*self._whitened(x, c)).logsumexp(-1)

    def estimate(self, x: Tensor, c: Coefficients) -> Estimate:
        """What a perfect network predicts at x [B, 2], for c of B times or of one: Gaussian conditioning in each
        component, weighted by how probable the component is at x."""
        whitened, variance = self._whitened(x, c)
        share = self._log_joint(whitened, variance).softmax(-1)
        weighted = share[:, self.component] * whitened
        data = share @ self.means + c.alpha[:, None] * (weighted * self.variances) @ self.axes
        return Estimate.of_ends(data, c.sigma[:, None] * weighted @ self.axes, c)

    def network(self, path: str, prediction: str):
        """A perfect network: (x [B, 2], t [B]) -> prediction."""

        def predict(x: Tensor, t: Tensor) -> Tensor:
            return getattr(self.estimate(x, PATHS[path](clamp_time(t))), prediction)

        return predict

    def quadrature(self, c: Coefficients, order: int = 40) -> tuple[Tensor, Tensor]:
        """Points [P, 2] and weights [P] that integrate over x_t, for c of one time [1]: Gauss–Hermite by component."""
        nodes, weights = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(order))
        z = torch.cartesian_prod(nodes, nodes)
        w = torch.cartesian_prod(weights, weights).prod(-1) / (2 * torch.pi)
        spread = (c.alpha.square() * self.variances + c.sigma.square()).sqrt()
        axes = (spread[:, None] * self.axes).view(-1, 2, 2)
        return (c.alpha * self.means[:, None] + z @ axes).flatten(0, 1), (self.weights[:, None] * w).flatten()

    def nearest(self, x: Tensor) -> Tensor:
        """Index [B] of the mode nearest to each of x [B, 2]."""
        return torch.cdist(x, self.means).argmin(-1)


TWO_MODES = Mixture(
    weights=[0.3, 0.7],
    means=[[-2.0, 1.5], [2.0, -1.0]],
    covariances=[[[0.5, 0.2], [0.2, 0.3]], [[0.4, -0.1], [-0.1, 0.6]]],
)
"""Unequal weights and shapes; 0.0005 of the mass is nearer to the other mode than to its own."""

ONE_MODE = Mixture(weights=[1.0], means=[[1.5, -2.0]], covariances=[[[1.0, 0.6], [0.6, 0.5]]])
"""The Gaussian of `gaussian.py`."""
