from dataclasses import replace

import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.submission.fitting import on_rows
from rnagen.submission.rows import TargetRows
from tests.helpers.submissions import rna

LONG, SHORT = "GGGGAAACCCCAUU", "GCUUCGGC"


def chain(name: str, sequence: str, seed: int, models: int = 2):
    return replace(rna("x", models, seed, sequence=sequence), chain=name)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_chains_follow_the_order_of_the_benchmark(order: tuple[int, ...]) -> None:
    chains = [chain("A", SHORT, 1), chain("B", LONG, 2), chain("C", SHORT, 3)]
    target = TargetRows.of_sequence("T", SHORT + LONG + SHORT)
    found = on_rows([chains[k] for k in order], target)
    # Equal chains stay in the order of their file.
    ends = [k for k in order if k != 1]
    expected = np.concatenate([chains[k].coords[:, :, 0] for k in (ends[0], 1, ends[1])], axis=1)
    np.testing.assert_array_equal(found, expected)


def test_an_order_is_found_where_the_first_choice_leads_nowhere() -> None:
    chains = [chain("A", "GGA", 1), chain("B", "GG", 2), chain("C", "AGGAC", 3)]
    found = on_rows(chains, TargetRows.of_sequence("T", "GGAGGACGGA"))
    expected = np.concatenate([chains[k].coords[:, :, 0] for k in (1, 2, 0)], axis=1)
    np.testing.assert_array_equal(found, expected)


def test_a_chain_that_is_not_asked_for_is_left_out() -> None:
    chains = [chain("A", "AAAAAAAA", 1), chain("B", LONG, 2)]
    np.testing.assert_array_equal(on_rows(chains, TargetRows.of_sequence("T", LONG)), chains[1].coords[:, :, 0])


def test_missing_residues_are_nan() -> None:
    whole = chain("A", LONG, 1)
    part = replace(
        whole,
        sequence=LONG[3:],
        coords=whole.coords[:, 3:],
        mask=whole.mask[:, 3:],
        residue_index=whole.residue_index[3:],
    )
    found = on_rows([part], TargetRows.of_sequence("T", LONG))
    assert np.isnan(found[:, :3]).all()
    np.testing.assert_array_equal(found[:, 3:], whole.coords[:, 3:, 0])


def test_another_rna_is_refused() -> None:
    target = TargetRows.of_sequence("T", LONG + SHORT)
    with pytest.raises(InputError, match=r"T: no order of its chains \(A 8 nt, B 8 nt\) gives the sequence of 22 nt"):
        on_rows([chain("A", "AAAAAAAA", 1), chain("B", "CCCCCCCC", 2)], target)
    with pytest.raises(InputError, match="T: 8 residues are predicted, the reference has 22"):
        on_rows([chain("A", "AAAAAAAA", 1)], target)
