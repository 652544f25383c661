"""Templates in an evaluation: their own answer, and later ones as leakage."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rnagen.errors import InputError
from rnagen.evaluation.scores import baseline_scores
from rnagen.evaluation.templates import newest_templates, template_answer
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.templates.library import Library, TemplateChain, TemplateInfo
from rnagen.templates.search import Searcher

RNA = synthetic_rna(3, 48)


def searcher(*infos: TemplateInfo) -> Searcher:
    return Searcher(Library.of([TemplateChain.of(RNA, info) for info in infos]))


def test_the_answer_is_scored_as_a_baseline() -> None:
    reference = replace(RNA, name="R1", entry="", release_date="2022-06-01")
    answer = template_answer(reference, "", searcher(TemplateInfo("1abc_A", "1abc", "2001-01-01")))
    assert answer is not None
    assert answer.shape == (1, 48, 3)
    scores = baseline_scores(reference, 0, True, answer)
    assert scores["templates"] > 0.99
    assert scores["independent_templates"] > 0.99
    assert "templates" not in baseline_scores(reference, 0)


@pytest.mark.parametrize(
    ("name", "date", "cutoff", "found"),
    [
        ("R1", "2001-01-01", "", False),
        ("R1", "2001-01-02", "", True),
        ("R1", "2022-01-01", "2001-01-01", False),
        ("R1", "", "2001-01-02", True),
        ("R1", "", "", False),
        ("1abc_B", "2022-01-01", "", False),
    ],
)
def test_the_answer_keeps_to_dates_and_entries(name: str, date: str, cutoff: str, found: bool) -> None:
    reference = replace(RNA, name=name, entry="", release_date=date)
    answer = template_answer(reference, cutoff, searcher(TemplateInfo("1abc_A", "1abc", "2001-01-01")))
    assert isinstance(answer, torch.Tensor) == found


def test_the_newest_template_of_each_target(tmp_path: Path) -> None:
    for name, uses in {
        "R1": [("library", "2020-01-01"), ("library", "2021-01-01"), ("file", "2024-01-01")],
        "R2": [],
        "R3": [("draft", "")],
    }.items():
        (tmp_path / name).mkdir()
        templates = [{"source": source, "release_date": date} for source, date in uses]
        (tmp_path / name / "summary.json").write_text(json.dumps({"name": name, "templates": templates}))
    assert newest_templates(tmp_path) == newest_templates(tmp_path / "submission.csv") == {}
    (tmp_path / "run.json").write_text("{}")
    # An RNA of this name has such a folder.
    (tmp_path / "R4" / "summary.json").mkdir(parents=True)
    assert newest_templates(tmp_path) == {"R1": "2024-01-01"}
    assert newest_templates(tmp_path / "other.csv") == {}
    assert newest_templates(tmp_path / "submission.csv") == {"R1": "2024-01-01"}


def test_a_damaged_summary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "R1").mkdir()
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "R1" / "summary.json").write_text('{"name": "R1", "templates": [1]}')
    with pytest.raises(InputError, match="templates: not as rnagen writes them"):
        newest_templates(tmp_path)
