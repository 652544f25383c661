import json
from pathlib import Path

import pytest

from rnagen.api import submit
from rnagen.errors import InputError
from rnagen.evaluation.inputs import read_cutoff
from rnagen.evaluation.origins import Origins, origins_of
from rnagen.evaluation.templates import newest_templates
from tests.helpers.submissions import run_folder, table


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A submission of two runs."""
    runs = [run_folder(tmp_path / "one", 1), run_folder(tmp_path / "two", 11, cutoff="2021-02-03")]
    out = tmp_path / "merged" / "submission.csv"
    assert submit(runs, out).good
    return out


@pytest.mark.parametrize("folder", [False, True])
def test_sources_cutoff_and_templates_are_known(merged: Path, folder: bool) -> None:
    place = merged.parent if folder else merged
    found = origins_of(place)
    assert found.source("R1", 2) == "two"
    assert found.source("R1", 6) == found.source("R9", 1) == ""
    assert read_cutoff(place, None) == found.cutoff == "2021-02-03"
    assert newest_templates(place) == {"R1": "2019-01-01", "R2": "2019-01-01"}


def test_one_source_without_a_cutoff_leaves_it_unknown(tmp_path: Path) -> None:
    sources = [run_folder(tmp_path / "one", 1), table(tmp_path / "foreign.csv", 11)]
    assert submit(sources, tmp_path / "merged.csv").good
    assert read_cutoff(tmp_path / "merged.csv", None) == ""
    # A merged table is a source like any other.
    again = [tmp_path / "merged.csv", run_folder(tmp_path / "two", 21)]
    assert submit(again, tmp_path / "again.csv").good
    assert origins_of(tmp_path / "again.csv").source("R1", 1) == "merged"


def test_the_record_of_another_table_is_not_used(merged: Path) -> None:
    merged.write_text(merged.read_text() + "\n")
    found = origins_of(merged)
    assert found.sources == {}
    assert found.note == "submission.json belongs to another table than submission.csv: not used"
    (merged.parent / "submission.json").write_text("{}")
    assert origins_of(merged) == Origins()
    assert origins_of(merged.parent.parent) == Origins()


def test_a_damaged_record_is_refused(merged: Path) -> None:
    record = merged.parent / "submission.json"
    described = json.loads(record.read_text())
    described["targets"] = [{"target": "R1"}]
    record.write_text(json.dumps(described))
    with pytest.raises(InputError, match="not as rnagen submit writes it"):
        origins_of(merged)
