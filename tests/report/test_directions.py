"""Which way the metrics of the tasks are better."""

import pytest

from rnagen.report.directions import better
from rnagen.tasks.structure.time_bins import NAMES
from rnagen.tasks.structure.validation import score_names


def test_every_metric_of_a_structure_training_is_known() -> None:
    found = {name: better(f"val/{name}") for name in (*score_names(5), *NAMES)}
    lower = {*NAMES, "clashing_residues_mean5", "bond_outliers_mean5"}
    neither = {"tm_helix", "one_minus_tm_mean5"}
    assert {name for name, way in found.items() if way == "lower"} == lower
    assert {name for name, way in found.items() if way == "neither"} == neither


@pytest.mark.parametrize(
    ("metric", "way"),
    [
        ("val/mae_sn_filter/2A3_MaP", "lower"),
        ("val/loss", "lower"),
        ("val/lddt_ece", "lower"),
        ("val/tm_mae", "lower"),
        ("val/lddt_pearson", "higher"),
        ("val/tm_rank", "higher"),
        ("val/tm_of_top", "higher"),
        ("val/tm_of_best", "neither"),
        ("val/tm_rank_consensus", "neither"),
        ("val/lddt_slope", "neither"),
        ("val/of_a_new_task", "neither"),
    ],
)
def test_metrics_of_the_other_tasks(metric: str, way: str) -> None:
    assert better(metric) == way
