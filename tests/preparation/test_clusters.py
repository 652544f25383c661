"""Sequence clusters."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.preparation.clusters import IDENTITY, greedy_clusters, identity

RNG = random.Random(0)
WHOLE = "".join(RNG.choice("ACGU") for _ in range(100))


def mutated(sequence: str, positions: int) -> str:
    swap = {"A": "C", "C": "A", "G": "U", "U": "G"}
    step = len(sequence) // positions
    changed = set(range(0, step * positions, step))
    return "".join(swap[b] if i in changed else b for i, b in enumerate(sequence))


def test_identity_at_the_threshold() -> None:
    near, far = mutated(WHOLE, 20), mutated(WHOLE, 25)
    assert identity(WHOLE, near) == pytest.approx(0.8)
    assert greedy_clusters([WHOLE, near, far], [5, None, None]) == [5, 5, 6]


def test_short_sequences_cluster_only_when_equal() -> None:
    short = WHOLE[:19]
    assert len(set(greedy_clusters([short, mutated(short, 1), short], [None] * 3))) == 2
    longer = WHOLE[:20]
    assert len(set(greedy_clusters([longer, mutated(longer, 1)], [None] * 2))) == 1


def test_given_numbers_stand_and_attract() -> None:
    other = "".join(RNG.choice("ACGU") for _ in range(100))
    near = mutated(WHOLE, 5)
    assert greedy_clusters([WHOLE, near, other, other], [41, None, None, 3]) == [41, 41, 3, 3]
    assert greedy_clusters([WHOLE, other], [41, None]) == [41, 42]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("ACGU", min_size=15, max_size=40), min_size=1, max_size=12), st.randoms())
def test_order_changes_nothing_and_clusters_hang_together(sequences: list[str], order: random.Random) -> None:
    clusters = dict(zip(sequences, greedy_clusters(sequences, [None] * len(sequences)), strict=True))
    shuffled = sequences[:]
    order.shuffle(shuffled)
    assert dict(zip(shuffled, greedy_clusters(shuffled, [None] * len(shuffled)), strict=True)) == clusters
    for number in set(clusters.values()):
        members = [s for s in clusters if clusters[s] == number]
        assert any(all(m == f or identity(m, f) >= IDENTITY for m in members) for f in members)
