"""The order of conformers: which number decides it, and what does not change with it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnagen.metrics import tm_matrix
from rnagen.sampling.ranking import agreement, describe_order, order_of, ranked, rule_of
from tests.helpers.ensembles import ensemble, template

NAN = float("nan")


def test_the_highest_predicted_tm_comes_first_and_the_lower_number_of_equals() -> None:
    found = ranked(ensemble([0.2, 0.5, 0.3, 0.5]))
    assert found.numbers == [2, 4, 3, 1]
    assert found.confidence.tm.tolist() == [0.5, 0.5, 0.3, 0.2]
    assert rule_of(found) == "predicted TM-score"


def test_a_template_counts_with_its_own_prediction_a_fixed_part_does_not() -> None:
    uses = [template(0.4), template(0.1), None, template(0.9, "fix")]
    one = ensemble([0.1, 0.8, 0.3, 0.2], uses)
    assert one.predicted_tm.tolist() == [0.4, 0.1, 0.3, 0.2]
    found = ranked(one)
    assert found.numbers == [1, 3, 4, 2]
    assert found.templates == [uses[0], None, uses[3], uses[1]]


def test_without_a_prediction_the_agreement_counts_or_the_prediction_where_it_is_higher() -> None:
    one = ensemble(n=4)
    c1 = one.to_numpy("C1'")
    matrix = tm_matrix(torch.from_numpy(c1)).numpy()
    expected = (matrix.sum(1) - 1) / 3
    assert agreement(one) == pytest.approx(expected, abs=1e-3)
    assert rule_of(one) == "agreement"
    assert order_of(one)[0] == int(np.argmax(expected))
    last = order_of(one)[-1]
    uses = [template(0.99) if row == last else None for row in range(4)]
    assert order_of(ensemble(n=4, templates=uses))[0] == last
    assert rule_of(ensemble([NAN, 0.2, 0.3])) == "agreement"


def test_medoids_and_the_way_between_two_states_keep_their_order() -> None:
    medoids = replace(ensemble(n=3), numbers=[5, 2, 9], candidates=9, selected_by="clusters")
    assert (rule_of(medoids), ranked(medoids).numbers) == ("size of cluster", [5, 2, 9])
    selected = replace(ensemble([0.1, 0.3]), numbers=[5, 2], candidates=9, selected_by="confidence")
    assert (rule_of(selected), ranked(selected).numbers) == ("predicted TM-score", [2, 5])
    way = ensemble([0.1, 0.9, 0.5], [template(0.5, source) for source in ("start", "between", "end")])
    assert (rule_of(way), ranked(way).numbers) == ("way", [1, 2, 3])
    assert way.predicted_tm.tolist() == [0.5, 0.9, 0.5]


def test_ranks_do_not_depend_on_the_order_in_which_conformers_came() -> None:
    whole = ensemble([0.2, 0.5, 0.3, 0.4])
    grown = whole.of([2, 0]).extended(whole.of([3, 1]))
    first, second = ranked(whole), ranked(grown)
    assert first.numbers == second.numbers
    np.testing.assert_array_equal(first.coords, second.coords)


def test_a_summary_has_the_distances_to_the_first_and_the_names_of_the_files() -> None:
    found = describe_order(ranked(ensemble([NAN, 0.5, 0.3], [template(0.7), None, None])), "pdb", [0.0, 2.04, 30.0])
    assert [one["file"] for one in found["conformers"]] == [f"conformer_{k}.pdb" for k in (1, 2, 3)]
    assert [one["predicted_tm"] for one in found["conformers"]] == [0.7, 0.5, 0.3]
    assert [one["sample"] for one in found["conformers"]] == [1, 2, 3]
    assert [one["clashes_per_1000"] for one in found["conformers"]] == [0.0, 2.0, 30.0]
    first, *others = found["conformers"]
    assert (first["tm_to_first"], first["rmsd_to_first"]) == (1.0, 0.0)
    assert all(one["rmsd_to_first"] > 1 for one in others)
    assert found["spread"] == pytest.approx(np.mean([1 - one["tm_to_first"] for one in others]), abs=1e-4)
    assert describe_order(ensemble(n=1), "cif", [0.0])["spread"] is None
    names = [one["file"] for one in describe_order(ensemble(n=10), "cif", [0.0] * 10)["conformers"]]
    assert names == sorted(names)
