"""The estimate of memory grows with what takes memory."""

from dataclasses import replace

import pytest

from rnagen.config.confidence import HeadConfig
from rnagen.config.encoder import EncoderConfig
from rnagen.config.sampling import SamplerConfig
from rnagen.sampling.memory import estimated_memory
from rnagen.structure import PAIR_FEATURES
from tests.helpers.encoders import KINDS
from tests.helpers.tiny import TINY

OPTIONS = SamplerConfig(steps=4, tau=0.5)


def test_memory_grows_with_length_and_shrinks_with_the_chunk() -> None:
    need = [estimated_memory(length, 5, TINY.model, OPTIONS) for length in (100, 200, 4000)]
    assert need == sorted(need)
    assert need[2] > 10 * need[1]
    all_at_once, one_by_one = (replace(OPTIONS, chunk=chunk) for chunk in (50, 1))
    assert estimated_memory(900, 50, TINY.model, all_at_once) > 2 * estimated_memory(900, 50, TINY.model, one_by_one)


def test_memory_grows_by_the_pair_features() -> None:
    reads = replace(TINY.model, pair_features=("turner1999",))
    more = estimated_memory(900, 5, reads, OPTIONS) - estimated_memory(900, 5, TINY.model, OPTIONS)
    # All channels that there are, whichever the model reads.
    assert more >= 4 * 900**2 * len(PAIR_FEATURES)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_grows_by_the_encoder(kind: str) -> None:
    encoder = EncoderConfig(encoder=kind)
    alone, both = (estimated_memory(900, 5, TINY.model, OPTIONS, e) for e in (None, encoder))
    assert both >= alone
    # What reading an RNA of 1500 nt was measured to take, in matrices of the size of its base pairs.
    measured = {"transformer": 27, "squeezeformer": 66, "convformer": 244}[kind]
    need = estimated_memory(1500, 1, replace(TINY.model, pair_dim=1, num_layers=1), OPTIONS, encoder)
    assert measured < need / (4 * 1500**2) < 1.5 * measured + 40


def test_memory_counts_chunks_of_conformers() -> None:
    options, head = SamplerConfig(), HeadConfig()
    few, many = (estimated_memory(300, n, TINY.model, options, None, head) for n in (50, 5000))
    assert few == many
    # A head wider than the trunk is what counts.
    wide = HeadConfig(head_pair_dim=96)
    assert estimated_memory(1000, 5, TINY.model, options, None, wide) > estimated_memory(1000, 5, TINY.model, options)
