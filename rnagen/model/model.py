"""The whole network: trunk, latent model and distogram head."""

from jaxtyping import Float
from torch import Tensor, nn

from rnagen.config import ModelConfig
from rnagen.features import RNAFeatures
from rnagen.model.latent import LatentContext, LatentModel
from rnagen.model.trunk import Distogram, Trunk, TrunkOutput


class RNAFlowModel(nn.Module):
    """Trunk once per RNA, latent model once per solver step."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config)
        self.latent = LatentModel(config)
        self.distogram = Distogram(config)

    def encode(self, features: RNAFeatures) -> tuple[TrunkOutput, LatentContext]:
        """Run the trunk and cache what the latent model needs of it."""
        trunk = self.trunk(features)
        return trunk, self.latent.context(trunk, features)

    def forward(
        self,
        x_t: Float[Tensor, "B K L A 3"],
        t: Float[Tensor, "B K"],
        context: LatentContext,
        previous: Float[Tensor, "B K L A 3"] | None = None,
    ) -> Float[Tensor, "B K L A 3"]:
        """Predict the flow at `x_t` (model units) and time `t`.

        `previous` is the data estimate of an earlier evaluation, for a model with self-conditioning (Chen et al.,
        arXiv:2208.04202, section 3.2); without it, or with zeros, the model works from x_t alone.
        """
        return self.latent(x_t, t, context, previous)

    @property
    def num_parameters(self) -> int:
        """Count of trained numbers."""
        return sum(p.numel() for p in self.parameters())
