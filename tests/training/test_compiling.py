"""Compiled networks: where they are stored, and how often they are compiled."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

from rnagen.caches import cached_in
from rnagen.training.compiling import STORED_IN, compile_in_place


@pytest.mark.parametrize("before", [None, default_cache_dir()])
def test_what_is_compiled_is_stored_in_the_cache_unless_the_user_has_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    # Set first, so that it is as before afterwards.
    monkeypatch.setenv(STORED_IN, before or "")
    if before is None:
        monkeypatch.delenv(STORED_IN)
    with cached_in(tmp_path):
        compile_in_place([])
        assert os.environ[STORED_IN] == str(tmp_path / "compiled")
    with cached_in(tmp_path / "other"):
        compile_in_place([])
    assert os.environ[STORED_IN] == str(tmp_path / "compiled")


@pytest.mark.slow
def test_steps_of_one_length_compile_once() -> None:
    """Whatever the random parts of a step: dropout, references, strands, self-conditioning. In a process without the
    checks of shapes, which cannot be compiled.

    Graphs: the blocks of the references, of the trunk, and of the latent model with a gradient and for its first
    estimate; the pair bias and the distogram. Equal blocks share theirs.
    """
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, cwd=ROOT)
    counts = json.loads(done.stdout)
    assert counts == [6] * 24


ROOT = Path(__file__).parents[2]
SCRIPT = """
from dataclasses import replace
import torch
from torch._dynamo.testing import CompileCounter
from rnagen.tasks.structure.module import FlowModule
from rnagen.tasks.structure.objective import draw_noise, objective, total
from tests.helpers.tiny import TINY, make_batch, make_chain

counter, counts = CompileCounter(), []
compiled = torch.compile
torch.compile = lambda *arguments, **options: compiled(*arguments, **{**options, "backend": counter})
shape = replace(TINY.model, dropout=0.1, self_conditioning=True, references=2, strands=True)
config = replace(TINY, model=shape, optim=replace(TINY.optim, compile=True))
module = FlowModule(config)
module.setup("fit")
for step in range(24):
    batch = make_batch([make_chain(20, seed=step), make_chain(17, seed=step)], crop=24, seed=step)
    noise = draw_noise(batch, config, step)
    total(objective(module.model, module.transport, batch, noise, config), config.loss, step).backward()
    counts.append(counter.frame_count)
print(counts)
"""
