"""A head small enough for tests, and conformers made by code."""

import torch

from rnagen.config.confidence import HeadConfig
from rnagen.features import Chain
from rnagen.model.confidence import ConfidenceHead
from rnagen.tasks.confidence.conformers import ScoredConformers, score_conformers
from tests.helpers.tiny import TINY_MODEL

TINY_HEAD = HeadConfig(head_dim=16, head_pair_dim=8, head_layers=1, head_heads=2, levels=11)
TINY_HEAD_FLAGS = [
    *("--head-dim", "16", "--head-pair-dim", "8", "--head-layers", "1", "--head-heads", "2", "--levels", "11"),
]
C1 = TINY_MODEL.atoms.index("C1'")


def tiny_head(seed: int = 0) -> ConfidenceHead:
    torch.manual_seed(seed)
    return ConfidenceHead(TINY_HEAD, TINY_MODEL.embed_dim, TINY_MODEL.pair_dim).eval()


def perturbed(chain: Chain, noises: list[float], seed: int = 0) -> ScoredConformers:
    """Conformers of a chain: its first model with noise of so many Å."""
    generator = torch.Generator().manual_seed(seed)
    true = torch.from_numpy(chain.coords[0, :, C1])
    c1 = torch.stack([true + noise * torch.randn(true.shape, generator=generator) for noise in noises])
    return score_conformers(c1, chain, C1)
