"""What is computed in another order than it is written down equals what is written down."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from rnagen.model.blocks import PairBias, TriangleMultiplication
from rnagen.model.triangles import formulas, gated_triangles


def by_the_book(module: TriangleMultiplication, pair: Tensor, pair_mask: Tensor) -> Float[Tensor, "B L L c"]:
    """Algorithms 11 and 12, channels last, as the shipped checkpoints were trained."""
    normed = module.norm(pair)
    value, gate = module.project(normed).chunk(2, dim=-1)
    left_out, right_out, left_in, right_in = (value * gate.sigmoid() * pair_mask).chunk(4, dim=-1)
    outgoing = torch.einsum("bikc,bjkc->bijc", left_out, right_out)
    incoming = torch.einsum("bkic,bkjc->bijc", left_in, right_in)
    update = module.norm_out(torch.cat([outgoing, incoming], dim=-1))
    return module.out(update) * module.gate(normed).sigmoid()


def test_triangles_and_their_gradients_are_those_of_the_formulas() -> None:
    torch.manual_seed(0)
    module = TriangleMultiplication(8).double()
    torch.nn.init.normal_(module.out.weight)
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[1, 4:] = False
    pair_mask = (mask[:, :, None] & mask[:, None, :])[..., None].double()
    pair = torch.randn(2, 6, 6, 8, dtype=torch.double, requires_grad=True)
    weights = torch.randn(2, 6, 6, 8, dtype=torch.double) * pair_mask
    of = [pair, *module.parameters()]
    outputs = [(f(pair, pair_mask) * weights).sum() for f in (module, lambda *a: by_the_book(module, *a))]
    torch.testing.assert_close(*outputs)
    for one, other in zip(*(torch.autograd.grad(output, of) for output in outputs)):
        torch.testing.assert_close(one, other)


def test_the_operator_of_triangles_can_be_compiled_and_differentiated() -> None:
    projected = torch.randn(16, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    projected.requires_grad_()
    torch.library.opcheck(torch.ops.rnagen.gated_triangles.default, (projected,))
    assert torch.autograd.gradcheck(gated_triangles, (projected,))
    torch.testing.assert_close(gated_triangles(projected), formulas(projected))


def test_the_bias_of_a_layer_and_head_is_its_row_of_the_projection() -> None:
    torch.manual_seed(0)
    module = PairBias(8, heads=2, layers=3)
    pair, mask = torch.randn(2, 5, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    expected = rearrange(module.project(module.norm(pair)), "b i j (n h) -> n b 1 h i j", h=2)
    torch.testing.assert_close(module(pair, mask), expected)
