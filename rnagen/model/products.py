"""Matrix products of sampling on CPUs, by oneDNN.

PyTorch multiplies fp32 matrices on CPUs with MKL, which leaves half of the units of processors that are not Intel's
idle, and more of them for matrices as narrow as those of pairs. The operators here are those that PyTorch's compiler
puts into what it makes; they multiply in full precision too, and end in an element-wise step for the price of none.
They have no gradient.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

AVAILABLE = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
"""Whether this build of PyTorch has oneDNN."""
FEWEST_ROWS = 32
"""Of a matrix whose product is computed here: for fewer, the weights take longer to arrange than MKL to multiply."""
After = Literal["none", "sigmoid", "swish"]
"""What is done to each number of a product."""


def multiplies(x: Tensor) -> bool:
    """Whether the functions here are for `x`: fp32 on a CPU, outside of autocast, without gradients and compiler, and
    not too few rows."""
    return (
        AVAILABLE
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and x.numel() >= FEWEST_ROWS * x.shape[-1]
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
    )


def product(
    x: Float[Tensor, "*rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
    after: After = "none",
) -> Float[Tensor, "*rows outputs"]:
    """after(x · weightᵀ + bias)."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, after, [], "")
    return result


def scaled_product(
    x: Float[Tensor, "*rows inputs"], weight: Float[Tensor, "outputs inputs"], factor: Float[Tensor, "*rows outputs"]
) -> Float[Tensor, "*rows outputs"]:
    """(x · weightᵀ) * factor."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, factor, weight, None, "mul")
    return result


def product_plus(
    x: Float[Tensor, "*rows inputs"], weight: Float[Tensor, "outputs inputs"], addend: Float[Tensor, "*rows outputs"]
) -> Float[Tensor, "*rows outputs"]:
    """x · weightᵀ + addend."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, addend, weight, None, "add")
    return result


class Linear(nn.Linear):
    """A linear layer that multiplies by oneDNN where it can."""

    def forward(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        if multiplies(x):
            return product(x, self.weight, self.bias)
        return F.linear(x, self.weight, self.bias)
