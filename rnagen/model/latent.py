"""The latent model predicts the flow from noised coordinates, once per solver step for all conformers at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rnagen.config.structure import ModelConfig
from rnagen.features import References, RNAFeatures
from rnagen.geometry import full_precision
from rnagen.model.blocks import BiasedAttention, PairBias, Transition
from rnagen.model.embeddings import LabelEmbedding, TimeEmbedding, rotary_angles
from rnagen.model.group import GroupAttention
from rnagen.model.ipa import InvariantPointAttention
from rnagen.model.products import Linear
from rnagen.model.reference import PlacedReferences, ReferenceCoordinates, ReferenceSteps
from rnagen.model.trunk import TrunkOutput


@dataclass(frozen=True)
class LatentContext:
    """What the latent model needs of an RNA: computed once, used at every step by every conformer."""

    tokens: Float[Tensor, "B 1 L d"]
    biases: Float[Tensor, "layers B 1 H L L"]
    rotary: Float[Tensor, "2 B 1 1 L half"] | None
    mask: Float[Tensor, "B 1 L 1"]
    label: Float[Tensor, "B 1 d"] | None
    references: PlacedReferences | None
    additions: Float[Tensor, "blocks B copies L d"] | None = None
    """What is added to the tokens before each of the first blocks."""

    def some(self, copies: slice) -> "LatentContext":
        """That of some copies, where each has references of its own."""
        if self.references is None or self.references.flags.shape[1] == 1:
            return self
        additions = None if self.additions is None else self.additions[:, :, copies]
        return replace(self, references=self.references.some(copies), additions=additions)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Adaptive shift and scale of normalised tokens."""
    return x * (1 + scale) + shift


@full_precision
def in_full(x: Tensor, layer: nn.Linear) -> Tensor:
    """A layer that reads or writes coordinates: bfloat16 would round them by up to half an ångström."""
    return layer(x)


class LatentBlock(nn.Module):
    """Attention and transition, both modulated by the time and the label through adaLN-zero (Peebles & Xie 2023,
    section 3.2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.embed_dim
        self.attention_norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.attention = BiasedAttention(dim, config.mha_heads)
        self.transition_norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.transition = Transition(dim, config.mlp_ratio)
        self.modulation = Linear(dim, 6 * dim)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.group = GroupAttention(config) if config.num_conformers > 1 else None

    def forward(
        self,
        x: Float[Tensor, "B K L d"],
        time: Float[Tensor, "B K 1 d"],
        bias: Float[Tensor, "B 1 H L L"],
        rotary: Float[Tensor, "2 B 1 1 L half"] | None,
    ) -> Float[Tensor, "B K L d"]:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(time).chunk(6, dim=-1)
        attended = self.attention(modulate(self.attention_norm(x), shift1, scale1), bias, rotary)
        x = x + gate1 * self.dropout(attended)
        if self.group is not None:
            x = x + self.dropout(self.group(x))
        moved = self.transition(modulate(self.transition_norm(x), shift2, scale2))
        return x + gate2 * self.dropout(moved)


class LatentModel(nn.Module):
    """Noised coordinates, time and trunk output → prediction per atom."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, channels = config.embed_dim, 3 * len(config.atoms)
        self.head_dim = dim // config.mha_heads
        self.rope = config.rope
        self.grad_checkpointing = config.grad_checkpointing
        self.coordinates = Linear(channels, dim)
        self.previous = Linear(channels, dim, bias=False) if config.self_conditioning else None
        self.single = Linear(dim, dim, bias=False)
        self.bias = PairBias(config.pair_dim, config.mha_heads, layers=config.num_layers)
        self.time = TimeEmbedding(dim, config.time_multiplier)
        self.label = LabelEmbedding(len(config.categories), dim) if config.categories else None
        self.blocks = nn.ModuleList(LatentBlock(config) for _ in range(config.num_layers))
        self.final_norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.final_modulation = Linear(dim, 2 * dim)
        self.out = Linear(dim, channels)
        for layer in (self.final_modulation, self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        if self.previous is not None:
            nn.init.zeros_(self.previous.weight)
        self.reference = ReferenceCoordinates(config) if config.references else None
        self.reference_steps = ReferenceSteps(config) if config.references else None
        attended = {"none": 0, "prepend": 1, "interleave": config.num_layers}[config.ipa]
        self.ipa = InvariantPointAttention(config, attended) if attended else None

    def context(
        self, trunk: TrunkOutput, features: RNAFeatures, references: Sequence[References] = ()
    ) -> LatentContext:
        """Everything that depends on neither time nor coordinates. Copies may have references of their own, which
        replace those of the features."""
        seen = references or ([] if features.references is None else [features.references])
        return LatentContext(
            tokens=self.single(trunk.single)[:, None],
            biases=self.bias(trunk.pair, features.mask),
            rotary=rotary_angles(features.residue_index, self.head_dim) if self.rope else None,
            mask=features.mask[:, None, :, None].to(trunk.single.dtype),
            label=None if self.label is None or features.label is None else self.label(features.label)[:, None],
            references=None
            if self.reference is None or not seen
            else PlacedReferences.joined([self.reference.placed(each) for each in seen]),
            additions=None
            if self.ipa is None or not seen
            else torch.cat([self.ipa(trunk, each, features.mask) for each in seen], dim=2),
        )

    def forward(
        self,
        x_t: Float[Tensor, "B K L A 3"],
        t: Float[Tensor, "B K"],
        context: LatentContext,
        previous: Float[Tensor, "B K L A 3"] | None = None,
        rotation: Float[Tensor, "B K 3 3"] | None = None,
    ) -> Float[Tensor, "B K L A 3"]:
        """Prediction in model units, fp32; zero on padding. `previous` is an earlier estimate of the data, `rotation`
        the pose of the references in each copy (as they stand by default)."""
        time = self.time(t) if context.label is None else self.time(t) + context.label
        time = torch.nn.functional.silu(time)[:, :, None]
        x = in_full(rearrange(x_t, "b k l a xyz -> b k l (a xyz)"), self.coordinates) + context.tokens
        references = context.references
        if references is not None and rotation is not None:
            references = references.turned(rotation)
        if self.reference is not None and references is not None:
            x = x + self.reference(references)
        if self.previous is not None and previous is not None:
            x = x + self.previous(rearrange(previous, "b k l a xyz -> b k l (a xyz)"))
        additions = () if context.additions is None else context.additions
        for block, bias, addition in zip_longest(self.blocks, context.biases, additions):
            x = x if addition is None else x + addition
            if self.grad_checkpointing and torch.is_grad_enabled():
                x = checkpoint(block, x, time, bias, context.rotary, use_reentrant=False)
            else:
                x = block(x, time, bias, context.rotary)
        shift, scale = self.final_modulation(time).chunk(2, dim=-1)
        tokens = modulate(self.final_norm(x), shift, scale)
        out = rearrange(in_full(tokens, self.out), "b k l (a xyz) -> b k l a xyz", xyz=3).float()
        if self.reference_steps is not None and references is not None:
            out = out + self.reference_steps(out, tokens, x_t, t, references)
        return out * context.mask[..., None]
