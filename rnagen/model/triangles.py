"""The products of a triangle multiplication, channels first, with a gradient that neither copies nor concatenates.

On CPUs it is one operator for the compiler: what that makes of the formulas writes the eight parts of the gradient
through conditions element by element, which takes longer than the products.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.devices import multiplies_bfloat16
from rnagen.model.products import multiplies, product, scaled_product
from rnagen.model.rows import channel_groups, row_blocks

LONGEST_IN_FULL = 1500
"""Residues up to which sampling multiplies edges in the precision of the model, beyond it in bfloat16."""


SHORTEST_ONE_BY_ONE = 128
"""Residues from which on channels are multiplied one by one, by oneDNN: the call of a product costs little of it."""


def gated_triangles(projected: Float[Tensor, "channels B L L"]) -> Float[Tensor, "quarter B L L"]:
    """Outgoing and incoming products of gated edges, half of the channels each.

    Args:
        projected: first half the values, second half their gates before the sigmoid; each left outgoing, right
            outgoing, left incoming, right incoming.

    Returns:
        Σ_k left_ik · right_jk for outgoing, then Σ_k left_ki · right_kj for incoming edges.
    """
    if projected.is_cuda:
        # There the compiler's way is the better one.
        return formulas(projected)
    if not torch.is_grad_enabled() and not torch.compiler.is_compiling():
        # The operator's first call imports the compiler, which takes as long as sampling a short RNA.
        return _products(projected)
    result: Tensor = torch.ops.rnagen.gated_triangles(projected)
    return result


def formulas(projected: Float[Tensor, "channels B L L"]) -> Float[Tensor, "quarter B L L"]:
    """What `gated_triangles` computes, as it is written down."""
    value, gate = projected.chunk(2)
    left_out, right_out, left_in, right_in = (value * gate.sigmoid()).chunk(4)
    return torch.cat([left_out @ right_out.mT, left_in.mT @ right_in])


def gated_triangles_by_rows(
    normed: Callable[[slice], Float[Tensor, "pairs dim"]], weight: Float[Tensor, "channels dim"], shape: torch.Size
) -> Float[Tensor, "quarter B L L"]:
    """`gated_triangles` of what a projection makes of pairs, for sampling: only the edges of some channels are there at
    once, and the pairs are read again for each group of channels.

    Args:
        normed: the pairs of a block of rows, as the projection reads them.
        weight: of the projection; its channels are those of `gated_triangles`.
        shape: B, L, L.
    """
    batch, length = shape[:2]
    of_value, of_gate = (part.unflatten(0, (4, -1)) for part in weight.chunk(2))
    sums = None
    for group in channel_groups(of_value.shape[1], length):
        of_group = (of_value[:, group].flatten(0, 1), of_gate[:, group].flatten(0, 1))
        edges = None
        for rows in row_blocks(length):
            some = _edges(normed(rows), *of_group)
            if edges is None:
                kind = torch.bfloat16 if length > LONGEST_IN_FULL else some.dtype
                edges = some.new_empty(len(some), batch, length, length, dtype=kind)
            edges[:, :, rows] = some.view(len(some), batch, -1, length)
        assert edges is not None
        sums = edges.new_empty(2, of_value.shape[1], batch, length, length) if sums is None else sums
        left_out, right_out, left_in, right_in = _parts(edges, 4)
        _multiply(left_out, right_out, sums[0, group].flatten(0, 1))
        _multiply(left_in.mT, right_in.mT, sums[1, group].flatten(0, 1))
    assert sums is not None
    return sums.flatten(0, 1)


def _edges(
    normed: Float[Tensor, "pairs dim"], of_value: Float[Tensor, "channels dim"], of_gate: Float[Tensor, "channels dim"]
) -> Float[Tensor, "channels pairs"]:
    if multiplies(normed):
        # The pairs take the place of the weights: channels come first.
        return scaled_product(of_value, normed, product(of_gate, normed, after="sigmoid"))
    value, gate = (torch.cat([of_value, of_gate]) @ normed.mT).chunk(2)
    return gate.sigmoid_().mul_(value)


def _multiply(
    left: Float[Tensor, "channels L L"], right: Float[Tensor, "channels L L"], sums: Float[Tensor, "channels L L"]
) -> None:
    """left · rightᵀ of each channel, into `sums`."""
    # Where products of bfloat16 are slow, it only saves memory.
    widened = left.dtype == torch.bfloat16 and not multiplies_bfloat16(left.device.type)
    if left.shape[-1] < SHORTEST_ONE_BY_ONE or not (widened or multiplies(left)):
        torch.bmm(left, right.mT, out=sums)
        return
    for one, other, into in zip(left, right, sums):
        one, other = one.float(), other.float()
        into.copy_(product(one, other) if multiplies(one) else one @ other.mT)


def _products(projected: Tensor) -> Tensor:
    value, gate = projected.chunk(2)
    left_out, right_out, left_in, right_in = _parts(gate.sigmoid().mul_(value), 4)
    update = projected.new_empty(len(projected) // 4, *projected.shape[1:])
    outgoing, incoming = _parts(update, 2)
    torch.bmm(left_out, right_out.mT, out=outgoing)
    torch.bmm(left_in.mT, right_in, out=incoming)
    return update


_forward = torch.library.custom_op(
    "rnagen::gated_triangles", _products, mutates_args=(), schema="(Tensor projected) -> Tensor"
)


@torch.library.custom_op(
    "rnagen::gated_triangles_backward", mutates_args=(), schema="(Tensor grad, Tensor projected) -> Tensor"
)
def _backward(grad: Tensor, projected: Tensor) -> Tensor:
    value, gate = projected.chunk(2)
    openness = gate.sigmoid()
    edges = value * openness
    result = projected.new_empty(projected.shape)
    grad_value, grad_gate = result.chunk(2)
    outgoing, incoming = _parts(grad, 2)
    left_out, right_out, left_in, right_in = _parts(edges, 4)
    of_left_out, of_right_out, of_left_in, of_right_in = _parts(grad_value, 4)
    torch.bmm(outgoing, right_out, out=of_left_out)
    torch.bmm(outgoing.mT, left_out, out=of_right_out)
    torch.bmm(right_in, incoming.mT, out=of_left_in)
    torch.bmm(left_in, incoming, out=of_right_in)
    # Until here grad_value is the gradient of the edges; their own memory is free again.
    torch.mul(grad_value, value, out=edges)
    torch.ops.aten.sigmoid_backward.grad_input(edges, openness, grad_input=grad_gate)
    grad_value.mul_(openness)
    return result


def _parts(x: Float[Tensor, "c B L L"], count: int) -> list[Float[Tensor, "cB L L"]]:
    """Equal parts of the channels, as views with one batch axis."""
    return [part.flatten(0, 1) for part in x.chunk(count)]


@_forward.register_fake
def _(projected: Tensor) -> Tensor:
    return projected.new_empty(projected.shape[0] // 4, *projected.shape[1:])


@_backward.register_fake
def _(grad: Tensor, projected: Tensor) -> Tensor:
    return projected.new_empty(projected.shape)


def _keep(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradient(ctx: Any, grad: Tensor) -> Tensor:
    # Contiguous here and not in the operator: the compiler then writes it so at once.
    result: Tensor = torch.ops.rnagen.gated_triangles_backward(grad.contiguous(), *ctx.saved_tensors)
    return result


_forward.register_autograd(_gradient, setup_context=_keep)
