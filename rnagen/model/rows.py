"""Pair representations [B, L, L, ...] in blocks of rows: without gradients no step needs a second one.

What is done to a pair alone, or to a row, is done block by block. The blocks depend on the length alone, so that
neither the memory nor the number of RNAs of a run changes a result. With gradients everything is one block, for the
backward pass keeps what each step read; and under the compiler, which fuses the steps.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK_PAIRS = 2**14
"""Pairs in a block, at least one row: what is made of them stays in the caches of a processor, which alone makes the
trunk of 720 residues more than twice as fast. Up to 128 residues all rows are one block."""
GROUP_PAIRS = 2**26
"""Pairs, channels counted, in the edges that one product of a triangle multiplication reads; at least one channel."""


def row_blocks(length: int) -> list[slice]:
    """The blocks of `length` rows, in order."""
    if _is_whole():
        return [slice(0, length)]
    rows = max(1, BLOCK_PAIRS // length)
    return [slice(start, min(start + rows, length)) for start in range(0, length, rows)]


def channel_groups(channels: int, length: int) -> list[slice]:
    """The channels of a triangle multiplication that are multiplied at once."""
    number = max(1, GROUP_PAIRS // length**2)
    return [slice(start, min(start + number, channels)) for start in range(0, channels, number)]


def by_rows(make: Callable[[slice], Float[Tensor, "B rows *rest"]], length: int) -> Float[Tensor, "B L *rest"]:
    """What `make` gives for each block of rows, put together."""
    blocks = row_blocks(length)
    first = make(blocks[0])
    if len(blocks) == 1:
        return first
    whole = first.new_empty(first.shape[0], length, *first.shape[2:])
    whole[:, blocks[0]] = first
    for rows in blocks[1:]:
        whole[:, rows] = make(rows)
    return whole


def add_by_rows(
    pair: Float[Tensor, "B L L c"], change: Callable[[slice], Float[Tensor, "B rows L c"]]
) -> Float[Tensor, "B L L c"]:
    """`pair` and its change, block by block of rows; each change reads no other rows. Without gradients in place."""
    if _is_whole():
        return pair + change(slice(0, pair.shape[1]))
    for rows in row_blocks(pair.shape[1]):
        pair[:, rows] += change(rows)
    return pair


def _is_whole() -> bool:
    return torch.is_grad_enabled() or torch.compiler.is_compiling()
