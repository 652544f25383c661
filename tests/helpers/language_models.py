"""Tiny random language models, written to disk by code."""

from pathlib import Path
from typing import Any

import pytest
import torch

from rnagen.config.encoder import EncoderConfig
from rnagen.model.encoders import LanguageModelEncoder, build_encoder

NAMES = ("rnafm", "rinalmo", "ribonanzanet")
SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
PAIRS = {
    "pairwise_size": 8,
    "pairwise_attention_size": 4,
    "pairwise_intermediate_size": 8,
    "pairwise_num_attention_heads": 2,
}
every_model = pytest.mark.parametrize("name", NAMES)


def write_folder(folder: Path, name: str, **options: Any) -> Path:
    """A tiny random model with a pre-training head, as it would be downloaded."""
    mm = pytest.importorskip("multimolecule", reason="multimolecule (the extra lm) is not installed")
    torch.manual_seed(3)
    if name == "rnafm":
        # Its output weights are tied to its embedding.
        model = mm.RnaFmForPreTraining(mm.RnaFmConfig(**SIZE, max_position_embeddings=80, **options))
    elif name == "rinalmo":
        model = mm.RiNALMoForMaskedLM(mm.RiNALMoConfig(**SIZE, **options))
    else:
        model = mm.RibonanzaNetForPreTraining(mm.RibonanzaNetConfig(**SIZE, **PAIRS, **options))
    with torch.no_grad():
        for parameter in model.parameters():
            # Far from the small initial weights, which hardly mix the residues.
            parameter.add_(0.2 * torch.randn(parameter.shape))
    model.save_pretrained(folder)
    return folder


def options(folder: Path) -> EncoderConfig:
    return EncoderConfig(encoder="language-model", language_model=folder, base_pairs="none")


def encoder(folder: Path) -> LanguageModelEncoder:
    built = build_encoder(options(folder))
    assert isinstance(built, LanguageModelEncoder)
    return built.eval()
