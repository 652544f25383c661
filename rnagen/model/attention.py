"""Attention of copies of an RNA under one bias, three ways: for training on CPUs, for GPUs and short RNAs, and for
sampling long RNAs on CPUs."""

import math
from itertools import product as product_of

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from rnagen.model.products import multiplies, product, product_plus

SHORTEST_BY_HEADS = 400
"""Residues from which on sampling multiplies head by head, by oneDNN: the calls of the products cost little of it."""
BLOCK_SCORES = 2**18
"""Scores of a head that are computed at once, at least one row: they stay in the cache."""
IN_BITS = math.log2(math.e)
"""exp(x) = 2 ** (IN_BITS * x), which PyTorch computes four times as fast."""


def attend(
    query: Float[Tensor, "B K H L c"],
    key: Float[Tensor, "B K H L c"],
    value: Float[Tensor, "B K H L c"],
    bias: Float[Tensor, "B 1 H L L"],
) -> Float[Tensor, "B K H L c"]:
    """softmax(query · keyᵀ / √c + bias) · value, by the fastest way that has the gradients that are asked for. Queries
    and keys are normalised."""
    if torch.is_grad_enabled() and not query.is_cuda:
        return attend_by_products(query, key, value, bias)
    if query.shape[-2] >= SHORTEST_BY_HEADS and multiplies(query):
        return attend_by_heads(query, key, value, bias)
    return attend_in_four_dimensions(query, key, value, bias)


def attend_by_products(
    query: Float[Tensor, "B K H L c"],
    key: Float[Tensor, "B K H L c"],
    value: Float[Tensor, "B K H L c"],
    bias: Float[Tensor, "B 1 H L L"],
) -> Float[Tensor, "B K H L c"]:
    """Attention as two products and a softmax, for training on CPUs: where the bias needs a gradient,
    `scaled_dot_product_attention` takes the same path there, but in fp32 whatever the precision."""
    scores = (query * query.shape[-1] ** -0.5) @ key.mT + bias
    return scores.softmax(-1) @ value


def attend_in_four_dimensions(
    query: Float[Tensor, "B K H L c"],
    key: Float[Tensor, "B K H L c"],
    value: Float[Tensor, "B K H L c"],
    bias: Float[Tensor, "B 1 H L L"],
) -> Float[Tensor, "B K H L c"]:
    """Attention of K copies under one bias, for GPUs and for sampling on CPUs: fused kernels want four dimensions, and
    have no gradient of the bias on a CPU."""
    copies = query.shape[1]
    query, key, value = (x.flatten(0, 1) for x in (query, key, value))
    # For one RNA, as in sampling, the bias is broadcast; for several it is repeated for each copy.
    bias = bias.expand(-1, copies, -1, -1, -1)
    bias = bias[0] if len(bias) == 1 else bias.flatten(0, 1)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias).unflatten(0, (-1, copies))


def attend_by_heads(
    query: Float[Tensor, "B K H L c"],
    key: Float[Tensor, "B K H L c"],
    value: Float[Tensor, "B K H L c"],
    bias: Float[Tensor, "B 1 H L L"],
) -> Float[Tensor, "B K H L c"]:
    """Attention head by head, for sampling long RNAs on CPUs: all copies follow each other while the bias of a head is
    in the cache.

    The largest bias of each row is subtracted, once for all copies. That of the scores is not searched: between
    normalised queries and keys, a score is at most √c times their gains, and its exponential far from overflow.
    """
    mixed = torch.empty_like(value)
    query = query * (IN_BITS * query.shape[-1] ** -0.5)
    # A last value of 1 sums the weights.
    summed = F.pad(value, (0, 1), value=1.0).mT.contiguous()
    length = query.shape[-2]
    at_once = max(1, BLOCK_SCORES // length)
    blocks = [slice(start, start + at_once) for start in range(0, length, at_once)]
    for b, h, rows in product_of(range(len(bias)), range(bias.shape[2]), blocks):
        some = bias[b, 0, h, rows]
        some = (some - some.amax(-1, keepdim=True)).mul_(IN_BITS)
        for k in range(query.shape[1]):
            weights = product_plus(query[b, k, h, rows], key[b, k, h], some).exp2_()
            sums = product(weights, summed[b, k, h])
            torch.div(sums[:, :-1], sums[:, -1:], out=mixed[b, k, h, rows])
    return mixed
