"""The estimate of memory grows with what takes memory, and is what a run is then measured to take."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnagen.config.confidence import HeadConfig
from rnagen.config.encoder import EncoderConfig
from rnagen.config.sampling import SamplerConfig
from rnagen.config.structure import SIZES, ModelConfig
from rnagen.sampling.memory import estimated_memory
from rnagen.structure import PAIR_FEATURES
from tests.helpers.encoders import KINDS
from tests.helpers.tiny import TINY

OPTIONS = SamplerConfig(steps=4, tau=0.5)


def test_memory_grows_with_length_and_shrinks_with_the_chunk() -> None:
    need = [estimated_memory(length, 5, TINY.model, OPTIONS) for length in (100, 200, 4000)]
    assert need == sorted(need)
    assert need[2] > 10 * need[1]
    all_at_once, one_by_one = (replace(OPTIONS, chunk=chunk) for chunk in (500, 1))
    assert estimated_memory(900, 500, TINY.model, all_at_once) > 2 * estimated_memory(900, 500, TINY.model, one_by_one)


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


def test_a_context_is_counted_twice_where_two_models_are_needed() -> None:
    options = replace(OPTIONS, cfg_scale=2.0)
    more = estimated_memory(2000, 5, TINY.model, options) - estimated_memory(2000, 5, TINY.model, OPTIONS)
    context = 4 * 2000**2 * (TINY.model.num_layers * TINY.model.mha_heads + TINY.model.pair_dim)
    assert more >= context


def test_a_ribosomal_rna_fits_a_machine_of_24_gigabytes() -> None:
    head = HeadConfig()
    for size in ("small", "base"):
        shape = ModelConfig(**SIZES[size], references=4)
        assert estimated_memory(4300, 5, shape, SamplerConfig(), None, head) < 12 * 2**30


def test_completing_to_all_atoms_counts_where_it_takes_most() -> None:
    small = replace(TINY.model, pair_dim=1, num_layers=1)
    beads, full = (estimated_memory(1000, 5, small, OPTIONS, atoms=atoms) for atoms in ("beads", "all"))
    assert full > beads
    few, many = (estimated_memory(120, n, small, OPTIONS, atoms="all") for n in (500, 5000))
    assert few == many


@pytest.mark.long
@pytest.mark.parametrize(
    ("length", "atoms"), [(700, "beads"), (1600, "beads"), (120, "all"), (700, "all"), (1600, "all")]
)
def test_the_estimate_that_is_printed_is_what_is_measured(length: int, atoms: str, tmp_path: Path) -> None:
    sequence = "".join(np.random.default_rng(0).choice(list("ACGU"), length))
    script = "import sys; from rnagen.cli.main import main; sys.exit(main(['sample', *sys.argv[1:]]))"
    command = [sys.executable, "-c", script, "--sequence", sequence, "--out", str(tmp_path / "out")]
    flags = ["--n", "2", "--steps", "1", "--device", "cpu", "--no-report", "--atoms", atoms]
    process = subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    found = re.search(r"memory: about ([\d.]+) GiB", printed)
    assert found is not None
    assert float(found[1]) == pytest.approx(usage.ru_maxrss / 2**20, rel=0.3, abs=0.05)
