"""A run of sampling whose names would break a careless page."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.sample import main
from tests.helpers.tiny import TINY, tiny_model

NAMES = ("<script>alert(1)</script>", "\"a&b'", "${title}")
FASTA = f">{NAMES[0]}\nGGGAAACCC\n>{NAMES[1]}\nGGGCUUCGGCCC\n>{NAMES[2]}\nGGGAC&GUCCC\n"


@pytest.fixture(scope="session")
def page_ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ckpt") / "tiny.safetensors"
    save_checkpoint(path, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    return path


@pytest.fixture(scope="session")
def sample_to(page_ckpt: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., int]:
    """Sample RNAs into a folder with a model without confidence; returns the exit code."""

    def call(out: Path, fasta: str = FASTA, n: int = 3, *flags: str) -> int:
        file = tmp_path_factory.mktemp("fasta") / "in.fasta"
        file.write_text(fasta)
        given = (
            "--fasta",
            file,
            "--ckpt",
            page_ckpt,
            "--out",
            out,
            "--n",
            n,
            "--steps",
            2,
            "--templates",
            "none",
            "--atoms",
            "beads",
        )
        return main([*map(str, given), *flags])

    return call


@pytest.fixture(scope="session")
def run_folder(sample_to: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three RNAs, not to be changed."""
    out = tmp_path_factory.mktemp("run") / "out"
    assert sample_to(out) == 0
    return out
