"""The reactivity model: an encoder, and one linear output per experiment type."""

from jaxtyping import Float
from torch import Tensor, nn

from rnagen.config.encoder import EncoderConfig
from rnagen.features import RNAFeatures
from rnagen.model.encoders import LanguageModelEncoder, build_encoder


class ReactivityModel(nn.Module):
    """Sequence and base-pair probabilities → chemical-mapping reactivity of every residue in every experiment."""

    def __init__(self, config: EncoderConfig, experiments: tuple[str, ...]) -> None:
        super().__init__()
        self.encoder = build_encoder(config)
        # So that neither a checkpoint nor a model that reuses its encoder needs another file.
        self.config = self.encoder.described(config) if isinstance(self.encoder, LanguageModelEncoder) else config
        self.experiments = experiments
        self.head = nn.Linear(self.encoder.dim, len(experiments))

    def forward(self, features: RNAFeatures) -> Float[Tensor, "B L E"]:
        """Reactivity in the order of `experiments`, normalised as the training data; fp32, zero on padding."""
        reactivity = self.head(self.encoder(features).single).float()
        if self.config.sigmoid:
            reactivity = reactivity.sigmoid()
        return reactivity * features.mask[..., None]

    @property
    def num_parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.parameters())
