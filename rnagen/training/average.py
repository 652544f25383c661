"""An exponential moving average of a model's weights that never waits for the device."""

from copy import deepcopy

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


class MovingAverage(nn.Module):
    """Holds `module`, a copy of a model whose weights follow those of the model.

    The decay warms up: (1 + n) / (10 + n) after n updates, `decay` in the end. The first update copies.
    """

    n_averaged: Int[Tensor, ""]

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.module = deepcopy(model).requires_grad_(False)
        self.register_buffer("n_averaged", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, model: nn.Module, taken: Bool[Tensor, ""]) -> None:
        """Follow the model by one step; unchanged if `taken` is False. Parameters that both share are left alone."""
        share = self.share() * taken
        pairs = [(a, b) for a, b in zip(self.module.parameters(), model.parameters()) if a is not b]
        averaged: list[Tensor] = [a for a, _ in pairs]
        current: list[Tensor] = [b for _, b in pairs]
        steps = list(torch._foreach_sub(current, averaged))
        torch._foreach_mul_(steps, share)
        torch._foreach_add_(averaged, steps)
        for averaged_buffer, buffer in zip(self.module.buffers(), model.buffers()):
            if averaged_buffer is not buffer:
                averaged_buffer.copy_(buffer)
        self.n_averaged += taken

    def share(self) -> Float[Tensor, ""]:
        """Share of the model's weights in the next average."""
        n = self.n_averaged.float()
        return 1 - ((1 + n) / (10 + n)).clamp(max=self.decay) * (n > 0)
