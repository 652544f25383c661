"""Complexes: chains joined, and matched in the best way."""

from dataclasses import replace

import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.evaluation.complexes import joined_complexes, on_complex
from rnagen.evaluation.scores import baseline_scores, score_target
from rnagen.evaluation.templates import template_answer
from rnagen.io.complexes import join_chains, split_chains
from rnagen.structure import BEADS, RNAStructure
from rnagen.templates.library import Library
from rnagen.templates.search import Searcher


def structure(text: str, models: int = 1, seed: int = 0) -> RNAStructure:
    sequence, strands = text.replace("&", ""), tuple(map(len, text.split("&")))
    steps = np.random.default_rng(seed).normal(scale=4, size=(models, len(sequence), 1, 3))
    coords = (np.cumsum(steps, axis=1) + np.arange(12).reshape(4, 3) / 5).astype(np.float32)
    mask = np.ones((models, len(sequence), 4), dtype=bool)
    return RNAStructure("duo", sequence, coords, mask, BEADS, strands=strands if len(strands) > 1 else ())


def reordered(whole: RNAStructure, order: tuple[int, ...]) -> list[RNAStructure]:
    chains = split_chains(whole)
    return [chains[k] for k in order]


def scored(predictions: list[RNAStructure], references: list[RNAStructure]) -> float:
    found = joined_complexes("duo", predictions, references)
    assert found is not None
    return score_target(on_complex(*found), found[1], "", with_baselines=False).best1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_chains_are_matched_by_sequence(order: tuple[int, ...]) -> None:
    whole = structure("GGGGCUA&CCAAGGUU&AUAUCGCGAU")
    assert scored(reordered(whole, order), split_chains(whole)) == pytest.approx(1)


def test_equal_chains_are_exchanged_conformer_by_conformer() -> None:
    whole = structure("GGGGCUAA&GGGGCUAA")
    (swapped,) = [join_chains("duo", reordered(whole, (1, 0)))]
    both = replace(whole, coords=np.concatenate([whole.coords, swapped.coords]), mask=np.ones((2, 16, 4), dtype=bool))
    found = joined_complexes("duo", [both], [whole])
    assert found is not None
    assert np.array_equal(on_complex(*found).coords, np.repeat(whole.coords, 2, axis=0))


def test_a_prediction_in_one_piece_is_cut() -> None:
    whole = structure("GGGGCUA&CCAAGGUU")
    other_order = join_chains("duo", reordered(whole, (1, 0)))
    for prediction in (whole, other_order):
        assert scored([replace(prediction, strands=())], split_chains(whole)) == pytest.approx(1)


def test_unresolved_residues_are_masked() -> None:
    whole = structure("GGGGCUACGUAC&CCAAGGUU")
    one, two = split_chains(whole)
    rows = [k for k in range(12) if k not in (4, 5)]
    part = replace(
        one,
        sequence="".join(one.sequence[k] for k in rows),
        coords=one.coords[:, rows],
        mask=one.mask[:, rows],
        residue_index=one.residue_index[rows],
    )
    assert scored([one, two], [part, two]) == pytest.approx(1)


def test_what_is_no_complex_is_none() -> None:
    whole = structure("GGGGCUA&CCAAGGUU")
    one, two = split_chains(whole)
    assert joined_complexes("duo", [one], [one]) is None
    assert joined_complexes("duo", [one, two], [one]) is None
    assert joined_complexes("duo", [one], [one, two]) is None
    assert joined_complexes("duo", [one, one], [one, two]) is None
    assert joined_complexes("duo", [one, two], [one.models([0, 0]), two]) is None


def test_six_equal_chains_are_matched_and_seven_refused() -> None:
    six, seven = structure("&".join(["GGCA"] * 6)), structure("&".join(["GGCA"] * 7))
    assert scored(reordered(six, (5, 0, 3, 1, 2, 4)), [six]) == pytest.approx(1)
    with pytest.raises(InputError, match="more than 720 ways: leave out some of the equal ones"):
        on_complex(seven, seven)


def test_chains_of_other_complexes_are_refused() -> None:
    with pytest.raises(InputError, match="do not belong together"):
        on_complex(structure("GGGGCUA&CCAAGGUU"), structure("AAAAAAA&UUUUUUUU"))


def test_baselines_know_the_strands() -> None:
    whole = structure("GGGGCUAC&GUAGCCCC")
    assert baseline_scores(whole, 0)["stems"] != baseline_scores(replace(whole, strands=()), 0)["stems"]
    assert template_answer(whole, "2022-05-27", Searcher(Library.open())) is None
