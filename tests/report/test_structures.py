"""The picture of conformers on the native structure."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.image import imread

from rnagen.geometry import random_rotations
from rnagen.report.curves import save
from rnagen.report.structures import SampledRNA, draw_structures

LENGTH = 30


def sampled(name: str = "1abc_A", n: int = 3) -> SampledRNA:
    """Conformers that are the native structure, turned and moved; two of its residues are missing."""
    native = np.random.default_rng(0).normal(size=(LENGTH, 3)).cumsum(0).astype(np.float32) * [9, 4, 2]
    rotations = random_rotations(n, torch.Generator().manual_seed(0)).numpy()
    mask = np.ones(LENGTH, dtype=bool)
    mask[10:12] = False
    conformers = (native @ rotations.mT + 50).astype(np.float32) if n else np.zeros((0, LENGTH, 3), np.float32)
    return SampledRNA(name, native.astype(np.float32), mask, conformers, np.linspace(0.5, 0.25, n))


def test_conformers_are_superposed_on_the_native_along_its_axes() -> None:
    native, conformers = sampled().superposed()
    assert np.isnan(native[10:12]).all()
    known = np.delete(native, [10, 11], axis=0)
    for conformer in conformers:
        np.testing.assert_allclose(np.delete(conformer, [10, 11], axis=0), known, atol=1e-3)
    spread = known.std(0)
    assert spread[0] > spread[1] > spread[2]
    covariance = np.cov(known.T)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-3 * covariance.max())


def test_a_mirror_image_stays_one() -> None:
    rna = sampled()
    mirrored = SampledRNA(rna.name, rna.native, rna.mask, rna.conformers * np.float32([-1, 1, 1]), rna.tm)
    native, conformers = mirrored.superposed()
    assert np.nanmax(np.abs(conformers - native)) > 1

    def hand(points: np.ndarray) -> float:
        return float(np.linalg.det(points[1:4] - points[0]))

    assert np.sign(hand(native)) == np.sign(hand(rna.native))
    assert np.sign(hand(conformers[0])) == -np.sign(hand(rna.native))


def test_a_panel_has_a_trace_for_each_conformer_and_a_title() -> None:
    figure = draw_structures([sampled("a$b$"), sampled("x" * 99, n=1)])
    assert [len(axes.lines) for axes in figure.axes] == [4, 2]
    first, second = (text.get_text() for text in figure.texts)
    assert first == "a$b$, 30 nt\nTM-score 0.50, best of 3"
    assert len(second.splitlines()[0]) < 40
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {"native", "best conformer", "other conformers"}


def test_the_same_structures_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(draw_structures([sampled()]), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    image = imread(tmp_path / "a.png")
    assert image.std() > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
