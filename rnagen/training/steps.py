"""One optimizer step, the same for every task."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


def clipped_step(
    optimizer: Any, closure: Callable[[], Any], parameters: Iterable[nn.Parameter], largest_norm: float
) -> tuple[Float[Tensor, ""], bool]:
    """Gradients, clip, step: the last only where the gradient is finite, so that one bad batch spoils nothing.

    Returns:
        the gradient's norm before clipping, and whether the step was taken.
    """
    closure()
    norm = torch.nn.utils.clip_grad_norm_(list(parameters), largest_norm)
    finite = bool(torch.isfinite(norm))
    if finite:
        optimizer.step()
    return norm, finite


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups of an optimizer: matrices decay; biases, gains and other vectors do not."""
    parameters = list(parameters)
    matrices = [p for p in parameters if p.ndim >= 2]
    others = [p for p in parameters if p.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
