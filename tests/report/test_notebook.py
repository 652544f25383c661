"""Conformers in a notebook; py3Dmol is optional."""

import sys
import types

import numpy as np
import pytest

from rnagen.errors import ConfigError
from rnagen.report.notebook import show, tube_models
from rnagen.structure import BEADS, RNAStructure


class View:
    def __init__(self, **size: int) -> None:
        self.size = size
        self.calls: list[str] = []

    def __getattr__(self, name: str):
        return lambda *_: self.calls.append(name)


def structure(models: int = 2) -> RNAStructure:
    coords = np.random.default_rng(0).normal(scale=9, size=(models, 6, 4, 3)).astype(np.float32)
    return RNAStructure("rna", "GGAACC", coords, np.ones((models, 6, 4), bool), BEADS, strands=(3, 3))


def test_without_py3dmol_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3Dmol", None)
    with pytest.raises(ConfigError, match="pip install py3Dmol"):
        show(structure())


def test_each_conformer_is_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3Dmol", types.SimpleNamespace(view=View))
    view = show(structure(), width=100)
    assert view.size == {"width": 100, "height": 440}
    assert view.calls.count("addModel") == 2
    with pytest.raises(ConfigError, match="no conformer"):
        show(structure(0))


def test_the_tube_ends_with_its_strand() -> None:
    texts = tube_models(structure())
    assert len(texts) == 2
    # Twelve atoms; a bond for each base, and two between the residues of each strand.
    assert all("COUNTS 12 10 0 0 0" in text for text in texts)
