"""Confidence in conformers: the chunk changes rounding only."""

import pytest
import torch

from rnagen.features import from_sequence
from rnagen.sampling.confidence import CHUNK_PAIRS, chunk_of, confidence_logits
from tests.helpers.scored import tiny_head
from tests.helpers.tiny import TINY_MODEL, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"


def test_conformers_are_scored_one_by_one_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    head = tiny_head()
    with torch.no_grad():
        context = tiny_model().condition(from_sequence(TINY_MODEL, SEQUENCE))
    c1 = torch.cumsum(torch.randn(5, len(SEQUENCE), 3, generator=torch.Generator().manual_seed(0)) * 4, 1)
    together = confidence_logits(head, context, c1)
    monkeypatch.setattr("rnagen.sampling.confidence.chunk_of", lambda length: 2)
    parts = confidence_logits(head, context, c1)
    torch.testing.assert_close(parts.lddt, together.lddt, rtol=0, atol=1e-5)
    torch.testing.assert_close(parts.tm, together.tm, rtol=0, atol=1e-5)
    assert chunk_of(5000) == 1
    assert chunk_of(100) * 100**2 <= CHUNK_PAIRS
