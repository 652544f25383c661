"""Every way to compute attention gives what PyTorch gives."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rnagen.model import attention
from rnagen.model.attention import attend, attend_by_heads, attend_by_products, attend_in_four_dimensions
from rnagen.model.products import AVAILABLE

WAYS = [attend_in_four_dimensions, attend_by_products, *([attend_by_heads] if AVAILABLE else [])]


def normalised(rnas: int, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Query, key and value of five copies, and a bias."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, rnas, 5, 2, length, 4, generator=generator)
    bias = 30 * torch.randn(rnas, 1, 2, length, length, generator=generator)
    return F.rms_norm(query, (4,)), F.rms_norm(key, (4,)), value, bias


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rnas", [1, 3])
def test_attention_on_every_device_is_attention(rnas: int, way: Callable[..., Tensor]) -> None:
    query, key, value, bias = normalised(rnas, 7)
    # Padded keys, and biases that overflow an exponential.
    bias[:, ..., -2:] = torch.finfo(torch.bfloat16).min / 4
    bias[:, ..., 0] += 200
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    with torch.no_grad():
        torch.testing.assert_close(way(query, key, value, bias), expected)


def test_long_rnas_are_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "SHORTEST_BY_HEADS", 11)
    monkeypatch.setattr(attention, "BLOCK_SCORES", 50)
    for length in (10, 11, 23, 60):
        inputs = normalised(2, length)
        expected = attend_by_products(*inputs)
        torch.testing.assert_close(attend(*inputs), expected)
        with torch.no_grad():
            torch.testing.assert_close(attend(*inputs), expected)
