"""The latent model keeps coordinates in full precision under autocast."""

import torch
from torch import nn

from rnagen.model.latent import in_full


def test_layers_of_coordinates_are_exact_under_autocast() -> None:
    layer = nn.Linear(12, 8)
    x = 6 * torch.randn(5, 12, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, rounded = in_full(x, layer), layer(x)
    assert torch.equal(inside, layer(x))
    assert not torch.allclose(rounded.float(), inside, atol=1e-4)
