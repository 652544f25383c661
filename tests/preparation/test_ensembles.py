"""Which RNAs have several conformers, and what their table has."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rnagen.data.chains import ChainInfo, Chains
from rnagen.data.dataset import write_dataset
from rnagen.errors import InputError
from rnagen.evaluation.inputs import read_references
from rnagen.features import Chain
from rnagen.metrics import STATES_APART
from rnagen.preparation.ensembles import (
    HELD_OUT_BUNDLES,
    HELD_OUT_STATES,
    LARGEST_HELD_OUT,
    LEAST_MODELS,
    ensemble_rows,
    experimental_ensembles,
    held_out_clusters,
)
from rnagen.structure import BEADS
from tests.helpers.tiny import make_chain, stacked


def chains_of(parts: list[tuple[Chain, dict[str, Any]]]) -> Chains:
    infos = tuple(ChainInfo(**{"name": f"c{k}", "entry": f"c{k}", **info}) for k, (_, info) in enumerate(parts))
    return replace(stacked([chain for chain, _ in parts]), infos=infos)


def moved(chain: Chain, by: float) -> Chain:
    """The second half of the chain shifted away."""
    coords = chain.coords.copy()
    coords[:, len(chain.bases) // 2 :, :, 0] += np.float32(by)
    return replace(chain, coords=coords)


def test_structures_far_apart_are_an_ensemble_and_near_ones_are_not() -> None:
    near, far = make_chain(30, seed=1), make_chain(32, seed=2)
    chains = chains_of([(near, {}), (moved(near, 1.0), {}), (far, {}), (moved(far, 40.0), {}), (make_chain(24), {})])
    (found,) = experimental_ensembles(chains)
    assert found.rows == [2, 3]
    assert found.models == 2
    assert found.apart > STATES_APART


@pytest.mark.parametrize(
    ("models", "length", "expected"),
    [(LEAST_MODELS, 30, 1), (LEAST_MODELS - 1, 30, 0), (LEAST_MODELS, 130, 0), (LEAST_MODELS, 19, 0)],
)
def test_bundles_have_enough_models_and_a_length(models: int, length: int, expected: int) -> None:
    one = make_chain(length)
    bundle = replace(one, coords=one.coords.repeat(models, 0), mask=one.mask.repeat(models, 0))
    assert len(experimental_ensembles(chains_of([(bundle, {})]))) == expected


def test_chains_with_few_residues_do_not_count() -> None:
    whole = make_chain(30, seed=1)
    part = moved(whole, 40.0)
    mask = part.mask.copy()
    mask[:, ::2] = False
    assert experimental_ensembles(chains_of([(whole, {}), (replace(part, mask=mask), {})])) == []


def test_a_row_has_the_first_date_and_whether_the_cluster_trains() -> None:
    first, second = make_chain(30, seed=1), make_chain(32, seed=2)
    chains = chains_of(
        [
            (first, {"release_date": "2020-01-01", "cluster": 1}),
            (moved(first, 40.0), {"release_date": "2010-01-01", "cluster": 1}),
            (second, {"cluster": 2}),
            (moved(second, 40.0), {"cluster": 2}),
            (make_chain(50), {"cluster": 1}),
        ]
    )
    one, other = ensemble_rows(chains, training=[4])
    assert (one[0], one[2], one[5], one[6], one[8]) == ("c0", "2010-01-01", "c0 c1", 2, "yes")
    assert (other[2], other[8]) == ("", "no")


def test_small_training_clusters_of_both_kinds_are_held_out() -> None:
    def bundle(seed: int) -> Chain:
        one = make_chain(20, seed=seed)
        return replace(one, coords=one.coords.repeat(LEAST_MODELS, 0), mask=one.mask.repeat(LEAST_MODELS, 0))

    bundles = [(bundle(seed), {"cluster": seed}) for seed in range(HELD_OUT_BUNDLES + 3)]
    states = []
    for seed in range(100, 100 + HELD_OUT_STATES + 3):
        one = make_chain(21, seed=seed)
        states += [(one, {"cluster": seed}), (moved(one, 40.0), {"cluster": seed})]
    single = [(make_chain(22, seed=seed), {"cluster": 200}) for seed in range(5)]
    large = [(bundle(300), {"cluster": 300})] + [(make_chain(23), {"cluster": 300})] * LARGEST_HELD_OUT
    later = (bundle(400), {"cluster": 400})
    chains = chains_of([*bundles, *states, *single, *large, later])
    training = range(len(chains) - 1)
    found = held_out_clusters(chains, training)
    assert sum(cluster < 100 for cluster in found) == HELD_OUT_BUNDLES
    assert sum(100 <= cluster < 200 for cluster in found) == HELD_OUT_STATES
    assert len(found) == HELD_OUT_BUNDLES + HELD_OUT_STATES
    assert found == held_out_clusters(chains, training)


def test_the_committed_table_is_of_the_committed_training() -> None:
    folder = Path(__file__).resolve().parents[2] / "splits"
    table, train = (pd.read_csv(folder / f"{name}.csv", keep_default_na=False) for name in ("ensemble", "train"))
    assert (table["training"].eq("yes") == table["cluster"].isin(train["cluster"])).all()
    assert ((table["apart"] >= STATES_APART) | ((table["models"] >= LEAST_MODELS) & (table["length"] <= 120))).all()
    assert not table["sequence"].duplicated().any()


def test_the_chains_of_an_rna_are_read_as_its_conformers(tmp_path: Path) -> None:
    one, other = make_chain(30, seed=1), make_chain(30, seed=2)
    infos = [
        ChainInfo("a_A", "a", release_date="2020-01-01"),
        ChainInfo("b_A", "b", release_date="2010-01-01"),
        ChainInfo("c_A", "c"),
    ]
    write_dataset(tmp_path / "x.safetensors", BEADS, infos, [one, moved(one, 40.0), other], "2.7")
    split = tmp_path / "ensemble.csv"
    split.write_text("id,chains\na_A,a_A b_A\nc_A,c_A\n")
    found = read_references(tmp_path / "x.safetensors", split).chains
    assert [found[name][0].num_models for name in ("a_A", "c_A")] == [2, 1]
    assert found["a_A"][0].release_date == "2010-01-01"
    for row, reason in (
        ("a_A,a_A c_A", "a_A: its chains have different sequences"),
        ("a_A,nowhere", "nowhere: is not"),
    ):
        split.write_text(f"id,chains\n{row}\n")
        with pytest.raises(InputError, match=reason):
            read_references(tmp_path / "x.safetensors", split)
