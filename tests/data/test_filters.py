"""The date filter, and what is left out of training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.data.chains import Chains
from rnagen.data.filters import (
    check_atoms,
    check_dates,
    counted,
    quality_filter,
    share_of_clusters,
    to_overfit,
    trainable,
    why_in_no_split,
    why_not_trainable,
)
from rnagen.errors import InputError
from tests.helpers.tiny import make_chain, stacked

CUTOFF = "2022-05-27"
HERE = Path("train.csv")


def with_columns(chains: Chains, **columns: Sequence[Any]) -> Chains:
    """The chains with other records."""
    infos = list(chains.infos)
    for name, values in columns.items():
        infos = [replace(info, **{name: value}) for info, value in zip(infos, values, strict=True)]
    return replace(chains, infos=tuple(infos))


def make_chains(**columns: Sequence[Any]) -> Chains:
    """Four chains that may train."""
    chains = stacked([make_chain(n, seed=n, models=m) for n, m in ((40, 1), (60, 5), (25, 1), (35, 1))])
    dates = ("2001-01-01", "2022-05-26", "2010-10-10", "2015-05-05")
    return with_columns(chains, **{"name": "abcd", "release_date": dates, **columns})


def test_good_chains_pass() -> None:
    check_dates(make_chains(), CUTOFF, HERE)


@pytest.mark.parametrize(
    ("date", "words"),
    [("2022-05-27", "b: released 2022-05-27"), ("2024-01-01", "b: released 2024-01-01"), ("", "b: has no release")],
)
def test_nothing_from_the_cutoff_on_trains(date: str, words: str) -> None:
    chains = make_chains(release_date=("2001-01-01", date, "2010-10-10", "2015-05-05"))
    with pytest.raises(InputError, match=words):
        check_dates(chains, CUTOFF, HERE)


def test_no_benchmark_chain_trains_whatever_its_date() -> None:
    with pytest.raises(InputError, match="c: belongs to the benchmark casp15"):
        check_dates(make_chains(benchmark=("", "", "casp15", "")), CUTOFF, HERE)


def test_short_and_unresolved_chains_are_left_out() -> None:
    chains = make_chains(resolved=[0.4, 1.0, 1.0, 0.5])
    assert trainable(chains, 30, HERE).names == ("b", "d")
    with pytest.raises(InputError, match="99 residues or more"):
        trainable(chains, 99, HERE)


CLUSTERED = [make_chain(n) for n in (20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31)]


@settings(max_examples=50, deadline=None)
@given(
    clusters=st.lists(st.integers(0, 6), min_size=12, max_size=12),
    shares=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    seed=st.integers(0, 99),
)
def test_a_share_is_of_whole_clusters_and_within_every_larger_one(
    clusters: list[int], shares: tuple[float, float], seed: int
) -> None:
    chains = with_columns(stacked(CLUSTERED), cluster=clusters)
    smaller, larger = (share_of_clusters(chains, share, seed) for share in sorted(shares))
    assert set(smaller.names) <= set(larger.names)
    for share, part in ((min(shares), smaller), (max(shares), larger)):
        taken = set(part.clusters.tolist())
        assert len(taken) == max(1, round(share * len(set(clusters))))
        assert part.names == tuple(name for name, cluster in zip(chains.names, clusters) if cluster in taken)
    assert share_of_clusters(chains, 1.0, seed).names == chains.names


def test_the_seed_draws_the_share() -> None:
    chains = stacked(CLUSTERED)
    sampled = {share_of_clusters(chains, 0.5, seed).names for seed in range(10)}
    assert len(sampled) > 5


def test_poorly_resolved_and_lonely_strands_are_left_out() -> None:
    chains = make_chains(resolution=[1.5, float("nan"), 4.5, 20.0], contacts=[1.0, 0.0, 0.3, 0.9])
    assert quality_filter(chains, None, 0.0, HERE).names == ("a", "b", "c", "d")
    assert quality_filter(chains, 4.5, 0.0, HERE).names == ("a", "b", "c"), "an unknown resolution is no bad one"
    assert quality_filter(chains, 4.4, 0.3, HERE).names == ("a",)
    assert quality_filter(chains, None, 0.3, HERE).names == ("a", "c", "d")
    with pytest.raises(InputError, match=r"max_resolution 1\.0, min_contacts 0\.5"):
        quality_filter(chains.select([0, 2]), 1.0, 0.5, HERE)


def test_overfitting_takes_a_whole_resolved_chain() -> None:
    assert to_overfit(make_chains(), 96, HERE).names == ("a",)
    assert to_overfit(make_chains(), 36, HERE).names == ("d",)
    assert to_overfit(make_chains(resolved=[0.9, 1.0, 1.0, 1.0]), 96, HERE).names == ("d",)
    with pytest.raises(InputError, match="to overfit"):
        to_overfit(make_chains(resolved=[0.9, 1.0, 1.0, 0.9]), 96, HERE)


@pytest.mark.data
def test_the_shipped_splits_keep_the_gate(shared_data: Path) -> None:
    """Against the table of dates and benchmarks that came with the data."""
    root = Path(__file__).parents[2] / "splits"
    train, val = (pd.read_csv(root / f"{name}.csv", dtype=str) for name in ("train", "val"))
    index = pd.read_csv(shared_data / "index.csv", dtype=str, keep_default_na=False).set_index("id")
    assert (train["release_date"] < CUTOFF).all()
    assert (val["release_date"] >= CUTOFF).all()
    assert not set(train["cluster"]) & set(val["cluster"])
    assert val["cluster"].is_unique
    for table in (train, val):
        known = table[table["id"].isin(index.index)]
        assert len(known) > 0.9 * len(table)
        assert (index.loc[known["id"], "benchmark"] == "").all()
        assert (index.loc[known["id"], "release_date"].to_numpy() == known["release_date"].to_numpy()).all()


def beadless(count: int, without: int) -> Chains:
    """Chains of which some have C1' alone."""
    chains = [make_chain(12, seed=k, models=1 + k % 2) for k in range(count)]
    for chain in chains[:without]:
        chain.mask[..., [0, 1, 3]] = False
    return stacked(chains)


def test_a_model_of_atoms_that_hardly_any_chain_has_is_refused() -> None:
    check_atoms(beadless(10, 9), HERE)
    check_atoms(beadless(3, 3).select([0, 1, 2], ("C1'",)), HERE)
    words = r"train\.csv: 1 of 11 training chains \(9 %\) have all of the atoms P, C4', C1', N: .* with --atoms \"C1'\""
    with pytest.raises(InputError, match=words):
        check_atoms(beadless(11, 10), HERE)
    with pytest.raises(InputError, match=r"0 of 2 training chains \(0 %\)"):
        check_atoms(beadless(2, 2), HERE)


def test_reasons_to_be_in_no_split_are_counted() -> None:
    chains = stacked([make_chain(n, seed=n) for n in (30, 31, 32, 33, 12, 34)])
    chains = with_columns(
        chains,
        release_date=["2001-01-01", "", "2023-01-01", "2023-01-01", "2023-01-01", "2023-01-01"],
        cluster=[0, 1, 0, 3, 4, 5],
        benchmark=["", "", "", "casp15", "", ""],
    )
    assert why_in_no_split(chains, range(6), CUTOFF) == {
        "not listed in the splits": 1,
        "without a date": 1,
        "near copies of chains from before 2022-05-27": 1,
        "of the benchmark casp15": 1,
        "later than 2022-05-27 and shorter than 20 residues": 1,
        "later than 2022-05-27 and near copies of a better one": 1,
    }
    assert why_in_no_split(chains, [1], CUTOFF) == {"without a date": 1}


def test_reasons_not_to_train_are_those_of_the_filters() -> None:
    chains = make_chains(resolved=[0.4, 1.0, 1.0, 0.5], resolution=[2.0, 9.0, 2.0, 2.0])
    reasons = why_not_trainable(chains, range(4), 30, 4.0, 0.0)
    assert counted(reasons) == (
        "1 with less than 50 % of their residues resolved, 1 outside the limits of quality, 1 shorter than 30 residues"
    )
    left = quality_filter(trainable(chains, 30, HERE), 4.0, 0.0, HERE)
    assert len(left) + reasons.total() == len(chains)
    assert not why_not_trainable(left, range(len(left)), 30, 4.0, 0.0)
