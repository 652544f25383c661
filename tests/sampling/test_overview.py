"""ranking.csv and the table of the terminal."""

import csv
import io

from rnagen.sampling.overview import COLUMNS, LISTED, Finished, caution, ranking_text, table_of


def finished(name: str, tm: float | None = 0.5, clashes: float = 0.0, length: int = 24) -> Finished:
    conformers = [
        {
            "file": f"conformer_{k}.cif",
            "sample": 3 - k,
            "checkpoint": "mine",
            "predicted_tm": tm,
            "clashes_per_1000": clashes,
            "tm_to_first": 1.0 if k == 1 else 0.25,
            "rmsd_to_first": 0.0,
        }
        for k in (1, 2)
    ]
    use = {"conformer": 2, "source": "library", "name": "1abc_A"}
    summary = {"length": length, "geometry": [{}, {}], "spread": 0.75, "conformers": conformers, "templates": [use]}
    return Finished(name, name.replace("/", "_"), summary)


def test_a_row_for_each_conformer() -> None:
    rows = list(csv.DictReader(io.StringIO(ranking_text([finished("a/b"), finished('x",y', None)], "cif"))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["target"] for row in rows] == ["a/b", "a/b", 'x",y', 'x",y']
    assert [row["rank"] for row in rows] == ["1", "2", "1", "2"]
    assert rows[0]["file"] == "a_b/conformer_1.cif"
    assert [row["template"] for row in rows[:2]] == ["", "library 1abc_A"]
    assert (rows[0]["sample"], rows[0]["predicted_tm"], rows[0]["predicted_lddt"]) == ("2", "0.5", "")
    assert rows[2]["predicted_tm"] == ""


def test_what_should_not_be_interpreted_is_marked() -> None:
    assert caution({"predicted_tm": 0.2, "clashes_per_1000": 20.0}, 20) == ""
    # With the number: the table has 0.20 and 20 here.
    assert caution({"predicted_tm": 0.1971, "clashes_per_1000": 20.3}, 20) == (
        "predicted TM-score 0.1971, under 0.2; 20.3 clashes per 1,000 atoms, over 20"
    )
    assert caution({"predicted_tm": None}, 20) == ""
    lines = table_of([finished("good"), finished("bad", 0.1)], "cif", "there")
    assert not lines[1].endswith("0.2")
    assert lines[2].endswith("do not interpret: predicted TM-score 0.1, under 0.2")
    assert lines[-1] == "warning: 1 of 2 RNAs should not be interpreted"


def test_a_short_rna_is_not_judged_by_its_tm_score() -> None:
    assert caution({"predicted_tm": 0.1}, 19) == caution({"predicted_tm": 0.9}, 1) == "too short for a TM-score"
    lines = table_of([finished("hairpin", 0.1, length=14)], "cif", "there")
    assert lines[1].endswith("of 2  too short for a TM-score")
    assert not any("interpret" in line for line in lines)
    (clashing, *_, last) = table_of([finished("hairpin", 0.9, 25.0, length=14)], "cif", "there")[1:]
    assert clashing.endswith("do not interpret: 25 clashes per 1,000 atoms, over 20; too short for a TM-score")
    assert last == "warning: 1 of 1 RNA should not be interpreted"


def test_the_table_is_bounded_and_a_missing_confidence_model_is_named() -> None:
    lines = table_of([finished(f"rna{k}", None) for k in range(LISTED + 3)], "cif", "out/ranking.csv")
    assert sum(line.startswith("rna") for line in lines) == LISTED
    assert "… and 3 more: out/ranking.csv" in lines
    assert lines[1].split() == ["rna0", "24", "–", "–", "0", "0.75", "1", "of", "2"]
    assert lines[-1] == "conformers without predicted TM-score: mine has no confidence model"
