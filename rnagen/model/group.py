"""The axis of conformers: copies of an RNA are sampled together in groups of T, and can differ as the models of one
experiment do."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rnagen.config.structure import ModelConfig
from rnagen.model.products import Linear


class GroupAttention(nn.Module):
    """Attention of the conformers of a group to each other, residue by residue: nothing before training. It does not
    see their order, and nothing of other groups."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, self.heads, self.size = config.embed_dim, config.mha_heads, config.num_conformers
        self.norm = nn.LayerNorm(dim)
        self.project = Linear(dim, 3 * dim, bias=False)
        self.out = Linear(dim, dim, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Float[Tensor, "B K L d"]) -> Float[Tensor, "B K L d"]:
        """What the copies get from their groups, each of T that follow each other; copies that do not fill a group form
        a smaller one at the end."""
        whole = x.shape[1] - x.shape[1] % self.size
        parts = [(x[:, :whole], self.size), (x[:, whole:], x.shape[1] - whole)]
        return torch.cat([self._attended(some, size) for some, size in parts if some.shape[1]], dim=1)

    def _attended(self, x: Float[Tensor, "B K L d"], size: int) -> Float[Tensor, "B K L d"]:
        split = "b (g t) l (three h c) -> three b g l h t c"
        query, key, value = rearrange(self.project(self.norm(x)), split, t=size, three=3, h=self.heads)
        query, key = (F.rms_norm(one, one.shape[-1:], eps=1e-6) for one in (query, key))
        attention = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1).to(value.dtype)
        return self.out(rearrange(attention @ value, "b g l h t c -> b (g t) l (h c)"))
