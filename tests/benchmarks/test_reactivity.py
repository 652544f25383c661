"""The comparison of encoders: baselines that are exact on a table they can describe, and the columns of the table."""

from pathlib import Path

import numpy as np
import pytest

from rnagen.tasks.reactivity.data import ReactivityDataModule
from tests.helpers.profiles import EXPERIMENTS, POSITIONS, config_of, make_profiles, write_profiles


@pytest.fixture
def data(tmp_path: Path) -> ReactivityDataModule:
    """A table in which the base alone decides."""
    frame = make_profiles(20, errors=False).assign(signal_to_noise=5.0)
    for n in range(POSITIONS):
        reactivity = frame["sequence"].str[n].map({"A": 0.9, "C": 0.1, "G": 0.3, "U": 0.6})
        frame[f"reactivity_{n + 1:04d}"] = reactivity.astype(np.float32)
    data = ReactivityDataModule(config_of(write_profiles(frame, tmp_path / "profiles.parquet")))
    data.prepare_data()
    data.setup("fit")
    return data


def test_baselines_by_base_fit_what_the_base_decides(data: ReactivityDataModule) -> None:
    from reactivity import baselines, chosen_examples, profiles, subsets

    assert data.val is not None
    train = profiles(data.train, np.arange(len(data.train)))
    held_out = profiles(data.val, chosen_examples(data.val, 3))
    assert len(held_out) == 6, "three examples of both experiments"
    assert all(train[name].map(len).equals(train["values"].map(len)) for name in ("bases", "unpaired"))
    errors = {
        name: max(np.abs(one - values).max() for one, values in zip(predicted, held_out["values"], strict=True))
        for name, predicted in baselines(train, held_out).items()
    }
    assert max(errors[name] for name in ("mean per base", "median per base", "base × unpaired")) < 1e-6
    assert errors["unpaired, scaled"] > 0.1
    columns = subsets(held_out)
    assert [int(columns[experiment].sum()) for experiment in EXPERIMENTS] == [3, 3]
