from pathlib import Path

from rnagen.submission.problems import Problem, lines_of
from rnagen.submission.run import check_file
from tests.helpers.submissions import table


def test_a_problem_is_one_line() -> None:
    whole = Problem("zero", "is zero", "predict it", "R1", "7", 3)
    assert str(whole) == "R1, residue 7, slot 3: is zero (predict it)"
    assert str(Problem("column", "no column", "add it")) == "no column (add it)"
    assert "\n" not in str(Problem("column", "a\nb", "add it", "R\n1"))


def test_kinds_are_counted() -> None:
    problems = [Problem("a", "x", "y", f"R{k}") for k in range(23)] + [Problem("b", "x", "y")]
    lines = list(lines_of(problems))
    assert (lines[0], lines[21], lines[22], len(lines)) == ("a: 23", "  … and 3 more", "b: 1", 24)


def test_a_number_that_python_would_not_read_is_a_problem(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", 1)
    path.write_text(path.read_text().replace("R1_12,", f"R1_{'9' * 5000},", 1))
    (found,) = [problem for problem in check_file(path) if problem.kind == "ID"]
    assert "is not an ID: expected target_number" in str(found)
