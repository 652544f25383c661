"""The layers of a network as a table."""

import lightning as L
from lightning.pytorch.utilities.model_summary import ModelSummary
from torch import nn


class Wrapped(L.LightningModule):
    """A network as the library wants it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.model = network


def summary_of(network: nn.Module, depth: int) -> str:
    """Names, types and parameters of the layers down to `depth`, and the size of the network in fp32."""
    return str(ModelSummary(Wrapped(network), max_depth=depth + 1))
