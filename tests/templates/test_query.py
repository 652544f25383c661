"""What an aligned pair of residues is worth."""

import numpy as np
import pytest

from rnagen.structure import UNKNOWN
from rnagen.templates.query import DOWNSTREAM, LOOP, NOTHING_KNOWN, RIBOSUM, UPSTREAM, codes_of
from rnagen.templates.scoring import Scoring
from tests.helpers.queries import query, template


def test_table_adds_the_probability_of_the_class() -> None:
    table = query("GAAAC", [(0, 4)]).table(2.0).reshape(5, 5, 4)
    g, a = 2, 0
    assert table[0, g, DOWNSTREAM] == pytest.approx(RIBOSUM[g, g] + 2)
    assert table[0, g, UPSTREAM] == pytest.approx(RIBOSUM[g, g] - 2)
    assert table[0, a, LOOP] == pytest.approx(RIBOSUM[g, a] - 2)
    assert table[4, a, UPSTREAM] == pytest.approx(RIBOSUM[1, a] + 2)
    np.testing.assert_allclose(table[:, :, NOTHING_KNOWN], RIBOSUM[[2, 0, 0, 0, 1]], rtol=1e-6)


def test_codes_of_a_chain() -> None:
    chain = template("GAAACN", [(0, 4)])
    chain.pair_table[5] = UNKNOWN
    classes = [DOWNSTREAM, LOOP, LOOP, LOOP, UPSTREAM, NOTHING_KNOWN]
    assert codes_of(chain).tolist() == [4 * base + c for base, c in zip([2, 0, 0, 0, 1, 4], classes)]


def test_any_base_is_worth_nothing() -> None:
    assert not RIBOSUM[4].any()
    assert not RIBOSUM[:, 4].any()
    assert not query("NGN", []).canonical(np.array([0, 1]), np.array([1, 2])).any()


def test_worth_of_a_pair() -> None:
    scoring = Scoring(pair=2.0, probability=3.0, canonical=0.5, mismatch=-1.0)
    worth = query("GAAAC", [(0, 4)]).worth(scoring)
    assert worth[0, 4] == worth[4, 0] == 2 * (3 + 0.5)
    assert worth[0, 1] == -2
