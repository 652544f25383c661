"""The record of validations."""

import json
from pathlib import Path

from rnagen.training.callbacks import records_before


def test_records_after_a_step_and_halves_of_records_go(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    assert records_before(file, 5) == []
    lines = [json.dumps({"step": step, "val/tm": 0.5}) for step in (2, 4, 6)]
    file.write_text("\n".join([*lines, "[]", '{"epoch": 1}', '{"step": 3, "val/t']))
    assert records_before(file, 6) == lines[:2]
    assert records_before(file, float("inf")) == lines
