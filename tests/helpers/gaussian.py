"""The analytic ground truth: Gaussian data, for which a perfect network is known in closed form on every path."""

import torch
from torch import Tensor

from rnagen.transport.flow import Estimate
from rnagen.transport.interpolants import PATHS, Coefficients, clamp_time

SOME_TIMES = torch.tensor([0.0, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.77, 0.9, 0.99, 1 - 1e-3, 1.0], dtype=torch.float64)


class Gaussian:
    """Data N(mean, covariance) in two dimensions, correlated, far from the noise in place and shape; float64."""

    mean = torch.tensor([1.5, -2.0], dtype=torch.float64)
    covariance = torch.tensor([[1.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
    variance, axes = torch.linalg.eigh(covariance)

    def marginal(self, c: Coefficients) -> tuple[Tensor, Tensor]:
        """Mean [B, 2] and covariance [B, 2, 2] of x_t = α·x1 + σ·x0."""
        alpha, sigma = c.alpha[:, None], c.sigma[:, None, None]
        eye = torch.eye(2, dtype=torch.float64)
        return alpha * self.mean, alpha[..., None].square() * self.covariance + sigma.square() * eye

    def estimate(self, x: Tensor, c: Coefficients) -> Estimate:
        """What a perfect network predicts at x [B, 2]: E[x1 | x_t] and E[x0 | x_t] by Gaussian conditioning."""
        alpha, sigma = c.alpha[:, None], c.sigma[:, None]
        # In the axes of the covariance, where a marginal's covariance is diagonal.
        whitened = ((x - alpha * self.mean) @ self.axes) / (alpha.square() * self.variance + sigma.square())
        data = self.mean + alpha * (self.variance * whitened) @ self.axes.T
        return Estimate.of_ends(data, sigma * whitened @ self.axes.T, c)

    def flow(self, x0: Tensor) -> Tensor:
        """Where the probability-flow equation carries noise [n, 2] on a path that starts at pure noise: μ + √S·x0."""
        return self.mean + (x0 @ self.axes * self.variance.sqrt()) @ self.axes.T

    def network(self, path: str, prediction: str):
        """A perfect network: (x [B, 2], t [B]) -> prediction."""

        def predict(x: Tensor, t: Tensor) -> Tensor:
            return getattr(self.estimate(x, PATHS[path](clamp_time(t))), prediction)

        return predict

    def on(self, path: str):
        """A perfect network, whose output is the whole estimate: (x [B, 2], t [B]) -> Estimate."""
        return lambda x, t: self.estimate(x, PATHS[path](clamp_time(t)))


def white_noise(n: int, seed: int = 0) -> Tensor:
    """n points [n, 2] of noise with sample mean exactly 0 and sample covariance exactly 1: an affine flow of them shows
    the solver's error alone, without that of Monte Carlo."""
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
