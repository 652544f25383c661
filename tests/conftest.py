"""Shapes and types in the annotations of rnagen are checked at run time in every test."""

import importlib
from collections.abc import Iterator
from pathlib import Path

# Before the hook: under it, whatever rnagen imports is compiled anew in every process where Python writes no bytecode,
# which takes longer than the imports themselves.
import beartype.door
import lightning
import matplotlib.figure
import pandas
import pyarrow.dataset
import pytest
import rapidfuzz.process
import scipy.sparse.csgraph
import scipy.stats
import torch
import tyro
from jaxtyping import install_import_hook

IMPORTED = (beartype, lightning, matplotlib, pandas, pyarrow, rapidfuzz, scipy, tyro)

install_import_hook("rnagen", "beartype.beartype")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data (shared/data beside the checkout) is not here")
    return SHARED_DATA


@pytest.fixture
def short_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps of minimisation in this process: how well conformers are completed is what tests/allatom is about."""
    for name, value in (("JOINING", (3, 3)), ("ROUNDS", 1), ("STEPS", 3), ("CROWDED", 1.0)):
        monkeypatch.setattr(importlib.import_module("rnagen.allatom.complete"), name, value)
    monkeypatch.setattr("rnagen.allatom.relax.STEPS", 3)


@pytest.fixture(autouse=True)
def _one_thread_and_seed() -> None:
    """Tests run side by side: one thread each, and the same random state whatever ran before."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[None]:
    """What rnagen caches, such as the sample of public chains, is made once per test run, for all of its processes."""
    folder = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder if worker_id == "master" else folder.parent))
        yield
