"""What an evaluation notes of given secondary structures."""

import json
from pathlib import Path

import pytest

from rnagen.errors import InputError
from rnagen.evaluation.obedience import obedience_note


def write(folder: Path, name: str, **fields: object) -> None:
    (folder / name).mkdir()
    (folder / "run.json").write_text("{}")
    (folder / name / "summary.json").write_text(json.dumps({"name": name, **fields}))


def test_a_run_is_averaged_over_its_targets(tmp_path: Path) -> None:
    write(tmp_path, "a", secondary_structure={"given_present": [0.5, 0.7], "present_not_given": [None, 0.1]})
    write(tmp_path, "b", secondary_structure={"given_present": [1.0, 1.0], "present_not_given": [0.3, 0.3]})
    write(tmp_path, "c")
    write(tmp_path, "x", secondary_structure={"given_present": [0.0], "present_not_given": [1.0]})
    assert obedience_note(tmp_path / "submission.csv", {"a", "b", "c"}) == [
        "a secondary structure was given for 2 of 3 targets: 0.80 of the given base pairs are present, "
        "0.20 of the base pairs that are present were not given"
    ]
    assert obedience_note(tmp_path, {"c"}) == []
    # A table of another program beside it is not of this run.
    assert obedience_note(tmp_path / "other.csv", {"a", "b", "c"}) == []


def test_a_damaged_summary_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a", secondary_structure="((..))")
    with pytest.raises(InputError, match="secondary_structure: not as rnagen writes it"):
        obedience_note(tmp_path, {"a"})
