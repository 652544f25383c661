"""The whole network: trunk, latent model and distogram head, optionally with a pretrained encoder before them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rnagen.config.structure import ModelConfig
from rnagen.features import References, RNAFeatures
from rnagen.model.conditioning import EncoderConditioning, read
from rnagen.model.encoders import Encoder
from rnagen.model.latent import LatentContext, LatentModel
from rnagen.model.reference import LEAST_TRUST
from rnagen.model.trunk import Distogram, Trunk, TrunkCondition, TrunkOutput


@dataclass(frozen=True)
class TrunkContext:
    """What the trunk knows of a batch of RNAs: all that is needed once there are coordinates."""

    features: RNAFeatures
    trunk: TrunkOutput


@dataclass(frozen=True)
class Context(TrunkContext):
    """What is known of a batch of RNAs before coordinates exist. Computed once per RNA; the denoiser, the confidence
    head and the likelihood all work from it."""

    latent: LatentContext

    def some(self, copies: slice) -> "Context":
        """That of some copies, where each has references of its own."""
        return replace(self, latent=self.latent.some(copies))

    @property
    def of_trunk(self) -> TrunkContext:
        """The part that stays of a long RNA: the biases of the latent model are larger."""
        return TrunkContext(self.features, self.trunk)


class RNAFlowModel(nn.Module):
    """Encoder and trunk once per RNA, latent model once per solver step.

    An encoder without any trained parameter (`requires_grad`) is frozen: it stays in evaluation mode.
    """

    def __init__(self, config: ModelConfig, encoder: Encoder | None = None) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config)
        self.latent = LatentModel(config)
        self.distogram = Distogram(config)
        # Last, so that an encoder changes the initial weights of nothing else.
        self.encoder = encoder
        self.conditioning = None if encoder is None else EncoderConditioning(config, encoder)

    def condition(self, features: RNAFeatures, references: Sequence[References] = ()) -> Context:
        """Run the trunk, and the encoder unless the features carry its output; cache what the latent model needs.

        Args:
            features: on the device of the model.
            references: of each copy that the latent model gets, [1, R, L, …]; the trunk reads those of the features.

        Raises:
            ValueError: the features carry references, which this model cannot read.
        """
        if features.references is not None and not self.config.references:
            raise ValueError("this model cannot read references")
        if not self.training:
            references = [one.of_trust(LEAST_TRUST) for one in references]
            first = None if features.references is None else features.references.of_trust(LEAST_TRUST)
            features = replace(features, references=first)
        trunk = self.trunk(features, self._encoded(features))
        return Context(features, trunk, self.latent.context(trunk, features, references))

    def _encoded(self, features: RNAFeatures) -> TrunkCondition | None:
        if self.encoder is None or self.conditioning is None:
            return None
        if features.encoded is not None:
            return self.conditioning(features.encoded)
        if self.config.grad_checkpointing and self.encoder_trains and torch.is_grad_enabled():
            return self.conditioning(checkpoint(read, self.encoder, features, use_reentrant=False))
        return self.conditioning(read(self.encoder, features))

    def blocks(self) -> list[nn.Module]:
        """All blocks of trunk and latent model: where the time goes."""
        references = [] if self.trunk.references is None else list(self.trunk.references.blocks)
        return [*references, *self.trunk.blocks, *self.latent.blocks]

    def freeze_trunk(self, whole: bool) -> None:
        """Keep the trunk as it is, without dropout, the whole of it or all but what reads references and strands."""
        reads = ("references.", "other_strand.")
        for name, parameter in self.trunk.named_parameters():
            parameter.requires_grad_(not whole and name.startswith(reads))
        for part in self.trunk.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0

    @property
    def encoder_trains(self) -> bool:
        """Whether there is an encoder that is not frozen."""
        return self.encoder is not None and any(p.requires_grad for p in self.encoder.parameters())

    def train(self, mode: bool = True) -> "RNAFlowModel":
        """Set the mode of everything except a frozen encoder."""
        super().train(mode)
        if self.encoder is not None and not self.encoder_trains:
            self.encoder.eval()
        return self

    def forward(
        self,
        x_t: Float[Tensor, "B K L A 3"],
        t: Float[Tensor, "B K"],
        context: Context,
        previous: Float[Tensor, "B K L A 3"] | None = None,
        rotation: Float[Tensor, "B K 3 3"] | None = None,
    ) -> Float[Tensor, "B K L A 3"]:
        """Predict the flow at `x_t` (model units) and time `t`.

        `previous` is the data estimate of an earlier evaluation, for a model with self-conditioning (Chen et al.,
        arXiv:2208.04202, section 3.2); without it, or with zeros, the model works from x_t alone. `rotation` is the
        pose of each copy with respect to the references.
        """
        return self.latent(x_t, t, context.latent, previous, rotation)

    @property
    def num_parameters(self) -> int:
        """Count of trained numbers."""
        return sum(p.numel() for p in self.parameters())
