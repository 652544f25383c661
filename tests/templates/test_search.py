"""Search and alignment of templates."""

from dataclasses import replace

import numpy as np
import pytest

from rnagen.structure import UNKNOWN
from rnagen.templates.confidence import predicted_tm
from rnagen.templates.library import C1, Library
from rnagen.templates.scoring import Scoring
from rnagen.templates.search import SCORE_WEIGHT, Searcher, align_with
from tests.helpers.queries import query, query_of, random_template, synthetic_template, template


def everything(library: Library) -> np.ndarray:
    return np.ones(len(library), dtype=bool)


def test_the_own_sequence_is_found_first() -> None:
    library = Library.of([synthetic_template(seed, 40) for seed in range(6)])
    best = Searcher(library).search(query_of(library.chain(3)), everything(library))[0]
    assert best.chain.info.name == "s3_A"
    assert (best.identity, best.coverage, best.similarity) == (1, 1, 1)
    np.testing.assert_array_equal(best.positions, np.arange(40))


def test_only_allowed_chains_serve() -> None:
    library = Library.of([synthetic_template(seed, 40) for seed in range(6)])
    allowed = everything(library)
    allowed[3] = False
    wanted = query_of(library.chain(3))
    assert "s3_A" not in {match.chain.info.name for match in Searcher(library).search(wanted, allowed)}
    assert Searcher(library).search(wanted, ~everything(library)) == []


def test_of_equal_sequences_the_one_that_is_resolved_best() -> None:
    whole = synthetic_template(0, 40)
    mask = whole.mask.copy()
    mask[:20] = False
    partly = replace(whole, mask=mask, info=replace(whole.info, name="partly_A"))
    library = Library.of([partly, whole, synthetic_template(1, 40)])
    found = Searcher(library).search(query_of(whole), everything(library))
    assert [match.chain.info.name for match in found] == ["s0_A", "s1_A"]
    only = Searcher(library).search(query_of(whole), np.array([True, False, True]))
    assert only[0].chain.info.name == "partly_A"


def test_unresolved_residues_are_not_aligned() -> None:
    whole = synthetic_template(0, 40)
    mask = whole.mask.copy()
    mask[5, C1] = False
    match = align_with(query_of(whole), [replace(whole, mask=mask)])[0]
    assert match.positions[5] == -1
    assert match.coverage == pytest.approx(39 / 40)
    assert match.identity == 1


def test_number_and_order_of_matches() -> None:
    rng = np.random.default_rng(0)
    library = Library.of([random_template(rng, 20, f"t{k}_A") for k in range(12)])
    searcher, wanted = Searcher(library), query("GGGGAAAACCCC")
    scores = [match.score for match in searcher.aligned(wanted, everything(library), number=5)]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    found = searcher.search(wanted, everything(library), number=5)
    assert sorted(match.score for match in found) == sorted(scores)
    ranks = predicted_tm(found, 12) + SCORE_WEIGHT * np.array([match.score for match in found])
    assert (np.diff(ranks) <= 0).all()


def test_pairs_move_an_alignment() -> None:
    # The bases fit either end of the template; its pair is at the right.
    chain = template("GAAAAANAAAAN", [(6, 11)])
    wanted = query("GAAAAC", [(0, 5)])
    alone = align_with(wanted, [chain], Scoring(structure=0.0, pair=0.0))[0]
    paired = align_with(wanted, [chain], Scoring(structure=1.0, pair=2.0))[0]
    assert alone.positions[0] == 0
    assert paired.positions.tolist() == [6, 7, 8, 9, 10, 11]
    assert paired.score > align_with(wanted, [chain], Scoring(structure=1.0, pair=0.0))[0].score


@pytest.mark.parametrize(
    ("sequence", "pairs", "share", "paired"),
    [
        ("GGAAAACC", [(0, 7), (1, 6)], 1, 0.5),
        ("GAAAAACC", [(0, 7), (1, 6)], 0.5, 0.25),
        ("GGAAAACC", [], 1, 0),
    ],
)
def test_pairs_that_both_form(sequence: str, pairs: list[tuple[int, int]], share: float, paired: float) -> None:
    chain = template("GGAAAACC", pairs)
    match = align_with(query(sequence, []), [chain], Scoring(structure=0.0, pair=0.0))[0]
    assert (match.pairs, match.paired) == (share, paired)


def test_pairs_of_residues_that_are_not_aligned_do_not_count() -> None:
    chain = template("GGAAAACC", [(0, 7), (1, 6)])
    match = align_with(query("GGAAAA", []), [chain], Scoring(structure=0.0, pair=0.0))[0]
    assert (match.pairs, match.paired) == (1, 0)


def test_chains_are_aligned_in_parts_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    chains = [random_template(rng, length, f"t{length}_A") for length in (20, 35, 12, 28)]
    wanted = query("GGGAAACUUCGGUUACCC")
    at_once = align_with(wanted, chains)
    monkeypatch.setattr("rnagen.templates.search._CELLS", 1)
    for one, other in zip(at_once, align_with(wanted, chains)):
        assert one.chain.info.name == other.chain.info.name
        assert one.score == pytest.approx(other.score, abs=1e-5)
        np.testing.assert_array_equal(one.positions, other.positions)


def test_what_is_unusual() -> None:
    chain = template("NGAAAACN", [(1, 6)])
    chain.pair_table[3] = UNKNOWN
    library = Library.of([chain])
    for sequence in ("G", "NNNN", "NGAAAACN"):
        match = Searcher(library).search(query(sequence), everything(library))[0]
        assert 0 <= match.identity <= 1
        assert 0 <= match.coverage <= 1
