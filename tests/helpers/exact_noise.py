"""Noise without Monte Carlo error: what an affine solver makes of it has exactly the moments of the solver."""

import torch
from torch import Tensor


class ExactNoise:
    """A source of noise [n, 2] with sample mean 0 and sample covariance 1, each uncorrelated with all others; float64.

    A solver of an affine equation (Gaussian data, perfect network) maps them so that the sample mean and covariance of
    its result are those of infinitely many samples: n = 2·calls + 2 samples show its error, and nothing else.
    """

    def __init__(self, calls: int, seed: int = 0) -> None:
        n = 2 * calls + 2
        columns = torch.randn(n, n - 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        columns[:, 0] = 1
        orthonormal = torch.linalg.qr(columns).Q[:, 1:]
        self.left = list((orthonormal * (n - 1) ** 0.5).split(2, dim=1))
        self.shape = torch.Size([n, 2])

    def __call__(self, shape: torch.Size) -> Tensor:
        assert shape == self.shape
        return self.left.pop()
