"""Attention of GPUs, which flattens copies, equals that of CPUs."""

import pytest
import torch
from torch.nn import functional as F

from rnagen.model.blocks import attend_in_four_dimensions


@pytest.mark.parametrize("rnas", [1, 3])
def test_attention_in_four_dimensions_is_attention(rnas: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, rnas, 5, 2, 7, 4, generator=generator)
    bias = torch.randn(rnas, 1, 2, 7, 7, generator=generator)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    torch.testing.assert_close(attend_in_four_dimensions(query, key, value, attn_mask=bias), expected)
