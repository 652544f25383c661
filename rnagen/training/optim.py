"""One optimizer step, the same for every task."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rnagen.errors import ConfigError

if TYPE_CHECKING:
    from lightning.pytorch.core.optimizer import LightningOptimizer


def clipped_step(
    optimizer: "LightningOptimizer", closure: Callable[[], Any], parameters: Iterable[nn.Parameter], largest_norm: float
) -> tuple[Float[Tensor, ""], Bool[Tensor, ""]]:
    """Gradients, clip, step: the last only if the gradient is finite, so that one bad batch spoils nothing.

    A fused optimizer decides on the device whether it may step, so that nothing waits for the answer.

    Returns:
        the gradient's norm before clipping, and whether the step was taken.

    Raises:
        ConfigError: the optimizer is not fused.
    """
    inner = optimizer.optimizer
    if not all(group["fused"] for group in inner.param_groups):
        raise ConfigError("ckpt: this training state is of an earlier version; start from its weights (.safetensors)")
    closure()
    norm = torch.nn.utils.clip_grad_norm_(list(parameters), largest_norm)
    finite = torch.isfinite(norm)
    # What torch's own GradScaler sets.
    inner.found_inf = (~finite).float()  # type: ignore[attr-defined]
    optimizer.step()
    return norm, finite


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups of an optimizer: matrices decay; biases, gains and other vectors do not."""
    parameters = list(parameters)
    matrices = [p for p in parameters if p.ndim >= 2]
    others = [p for p in parameters if p.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
