"""Figures: every bar, arc, letter and dot is where the data say; equal figures are equal files."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from rnagen.report.reactivity import LINE, Arc, figure, mfe_arcs, save_figure
from rnagen.secondary.vienna import base_pair_probabilities, mfe_dot_bracket
from tests.helpers.profiles import random_sequence

EXPERIMENTS = ("2A3_MaP", "DMS_MaP")
HAIRPIN = "GGGGAAACUUCGGUUUCCCC"


def random_profile(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((length, len(EXPERIMENTS)), dtype=np.float32)


def rows(page: Figure) -> list[list[Axes]]:
    """The axes of each line: arcs, then experiments."""
    per_line = 1 + len(EXPERIMENTS)
    assert len(page.axes) % per_line == 0
    return [page.axes[n : n + per_line] for n in range(0, len(page.axes), per_line)]


def segments(axes: Axes) -> list[np.ndarray]:
    (lines,) = (c for c in axes.collections if isinstance(c, LineCollection))
    return lines.get_segments()


def bars(axes: Axes) -> dict[int, float]:
    """Height by position, from 1."""
    return {round(bar[0, 0]): bar[1, 1] for bar in segments(axes)}


def texts(path: Path) -> list[str]:
    root = ElementTree.parse(path).getroot()
    return ["".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("length", [1, 20, LINE, LINE + 1, 330])
def test_each_residue_has_one_bar_per_experiment_and_one_letter(length: int) -> None:
    sequence, reactivity = random_sequence(length, 0), random_profile(length)
    page = figure("rna", sequence, reactivity, EXPERIMENTS, [])
    lines = rows(page)
    assert len(lines) == -(-length // LINE)
    for e in range(len(EXPERIMENTS)):
        heights = {p: height for line in lines for p, height in bars(line[1 + e]).items()}
        np.testing.assert_allclose([heights[p + 1] for p in range(length)], reactivity[:, e])
        assert sum(len(bars(line[1 + e])) for line in lines) == length
    letters = {
        round(t.get_position()[0]): t.get_text() for line in lines for t in line[-1].texts if t.get_text().isalpha()
    }
    assert "".join(letters[p + 1] for p in range(length)) == sequence
    for line in lines:
        left, right = line[0].get_xlim()
        assert all(axes.get_xlim() == (left, right) for axes in line)
        assert all(left < p < right for p in bars(line[1]))


def test_a_residue_without_value_has_no_bar() -> None:
    reactivity = random_profile(20)
    reactivity[:3] = np.nan
    (line,) = rows(figure("rna", HAIRPIN, reactivity, EXPERIMENTS, []))
    assert [bars(line[1])[p] for p in (1, 2, 3)] == [0, 0, 0]
    assert bars(line[1])[4] == pytest.approx(reactivity[3, 0])


def test_arcs_join_pairs_and_fade_with_their_probability() -> None:
    pairs = [Arc(0, 19, 0.1), Arc(1, 18, 0.5), Arc(2, 17, 1.0)]
    (line,) = rows(figure("rna", HAIRPIN, random_profile(20), EXPERIMENTS, pairs))
    for arc, page in zip(pairs, segments(line[0])):
        np.testing.assert_allclose(page[[0, -1]], [[arc.i + 1, 0], [arc.j + 1, 0]], atol=1e-9)
    opacity = line[0].collections[0].get_colors()[:, 3]
    assert (np.diff(opacity) > 0.1).all()
    assert opacity[-1] == 1
    assert "".join(t.get_text() for t in line[0].texts) == "(((..............)))"


def test_an_arc_across_lines_is_in_each_of_them() -> None:
    length = 2 * LINE + 60
    pairs = [Arc(4, 9, 1.0), Arc(2, length - 3, 1.0)]
    first, middle, last = rows(figure("rna", "A" * length, random_profile(length), EXPERIMENTS, pairs))
    assert [len(segments(line[0])) for line in (first, middle, last)] == [2, 1, 1]
    np.testing.assert_array_equal(segments(first[0])[1], segments(last[0])[0])
    assert len({line[0].get_ylim() for line in (first, middle, last)}) == 1, "so that the arc goes on at its height"
    brackets = "".join(t.get_text() for line in (first, middle, last) for t in line[0].texts)
    assert brackets == "..(.(....)" + "." * (length - 13) + ")" + ".."


def test_the_secondary_structure_is_that_of_vienna() -> None:
    arcs = mfe_arcs(HAIRPIN)
    brackets = ["."] * len(HAIRPIN)
    for i, j, _ in arcs:
        brackets[i], brackets[j] = "(", ")"
    assert "".join(brackets) == mfe_dot_bracket(HAIRPIN)
    probabilities = base_pair_probabilities(HAIRPIN)
    assert len(arcs) > 5
    assert all(arc.probability == pytest.approx(probabilities[arc.i, arc.j]) for arc in arcs)


def test_measured_values_are_dots_clipped_like_targets() -> None:
    measured = random_profile(20, seed=1)
    measured[0, 0], measured[1, 0], measured[2, 0], measured[:, 1] = -1, 3, np.nan, np.nan
    (line,) = rows(figure("rna", HAIRPIN, random_profile(20), EXPERIMENTS, [], measured))
    (dots,) = line[1].lines
    x, y = dots.get_data()
    np.testing.assert_array_equal(x, np.arange(1, 21))
    np.testing.assert_array_equal(y, np.clip(measured[:, 0], 0, 1))
    assert (y[0], y[1]) == (0, 1)
    assert np.isnan(line[2].lines[0].get_ydata()).all()
    assert not rows(figure("rna", HAIRPIN, random_profile(20), EXPERIMENTS, []))[0][1].lines


def test_svg_holds_text_and_equal_figures_are_equal_files(tmp_path: Path) -> None:
    name = "5'-<my> $RNA$ & more"
    for file in ("a.svg", "b.svg"):
        save_figure(figure(name, HAIRPIN, random_profile(20), EXPERIMENTS, mfe_arcs(HAIRPIN)), tmp_path / file)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    written = texts(tmp_path / "a.svg")
    assert {f"{name} (20 nt)", *EXPERIMENTS, "1", "10", "20"} <= set(written)
    assert written.count("(") == mfe_dot_bracket(HAIRPIN).count("(")
    # The legend has one more of each base.
    assert [written.count(base) - 1 for base in "ACGU"] == [HAIRPIN.count(base) for base in "ACGU"]
    save_figure(figure(name, HAIRPIN, random_profile(20, seed=1), EXPERIMENTS, []), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() != (tmp_path / "b.svg").read_bytes()
