"""sample.py with known structures: files for several RNAs, drafts, what is printed, and folders that are added to."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.cli.evaluate import main as evaluate
from rnagen.cli.sample import main
from rnagen.io.write import write_structure
from rnagen.preparation.synthetic import synthetic_rna
from tests.helpers.tiny import TINY, tiny_model

ONE, TWO = synthetic_rna(3, 40), synthetic_rna(5, 30)


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run sample.py in a folder with structures of two RNAs and a FASTA file of them; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    for name, rna in (("one", ONE), ("two", TWO)):
        path = tmp_path / "mine" / f"{name}.cif"
        write_structure(replace(rna, entry="9abc"), path)
        path.write_text(f"{path.read_text()}_pdbx_audit_revision_history.revision_date 2023-01-01\n")
    Path("in.fasta").write_text(f">one\n{ONE.sequence}\n>two\n{TWO.sequence}\n")

    def call(*options: str) -> int:
        return main(["--fasta", "in.fasta", "--steps", "2", "--atoms", "beads", "--out", "out", *options])

    return call


def sources(name: str) -> list[str]:
    summary = json.loads(Path("out", name, "summary.json").read_text())
    return [use["source"] for use in summary.get("templates", [])]


def test_a_folder_of_templates_serves_each_rna(sample) -> None:
    assert sample("--n", "2", "--templates", "mine") == 0
    assert sources("one") == sources("two") == ["file"]


def test_a_file_of_one_rna_fails_the_other_unless_the_library_serves(sample, capsys) -> None:
    assert sample("--n", "1", "--templates", "mine/one.cif") == 1
    assert "does not fit two" in capsys.readouterr().err
    assert sample("--n", "1", "--templates", "mine/one.cif", "auto", "--overwrite") == 0
    assert capsys.readouterr().err.count("warning: mine/one.cif: does not fit two") == 1
    assert sources("one") == ["file"]
    assert "file" not in sources("two")


def test_lines_of_templates_stand_in_the_order_of_the_table(sample, capsys) -> None:
    # The shorter one is sampled first.
    assert sample("--n", "1", "--templates", "mine") == 0
    printed = capsys.readouterr().out.splitlines()
    one, two = (line for line in printed if ": file " in line)
    assert (one[:8], two[:8]) == ("  one 1:", "  two 1:")
    assert "2 RNAs × 1 conformer: " in "\n".join(printed)


def test_the_printed_tm_score_is_that_of_the_conformer(sample, capsys) -> None:
    """That of a state stands in its line and in the table; a part has none, so that the model's counts."""
    Path("in.fasta").write_text(f">one\n{ONE.sequence}\n")
    for name, options, known in (
        ("fixed", ("--fix", "1-12", "mine/one.cif"), [False, False, False]),
        ("states", ("--start", "mine/one.cif", "--end", "mine/one.cif"), [True, False, True]),
    ):
        assert sample("--n", "3", "--templates", "none", "--out", name, *options) == 0
        lines = [
            line for line in capsys.readouterr().out.splitlines() if line.startswith("  one ") and ", score" in line
        ]
        assert ["predicted TM-score 1.00" in line for line in lines] == known
        assert ["predicted TM-score" in line for line in lines] == known
        summary = json.loads(Path(name, "one", "summary.json").read_text())
        expected = [1.0 if one else tm for one, tm in zip(known, summary["confidence"]["tm"], strict=True)]
        assert [one["predicted_tm"] for one in summary["conformers"]] == expected


def test_drafts_are_counted_and_a_missing_one_ends_the_command(sample, capsys) -> None:
    Path("mine/two.cif").rename("mine/other.cif")
    assert sample("--n", "1", "--templates", "none", "--draft", "mine") == 0
    assert "1 of 2 targets have a draft" in capsys.readouterr().out
    assert (sources("one"), sources("two")) == (["draft"], [])
    assert sample("--n", "1", "--draft", "nothing", "--overwrite") == 2
    assert "nothing: no such file or folder" in capsys.readouterr().err


def test_a_model_of_other_atoms_samples_without_the_library(sample, capsys) -> None:
    config = replace(TINY, model=replace(TINY.model, atoms=("P", "C1'", "O2'")))
    save_checkpoint(Path("heavy.safetensors"), tiny_model(config), config, {"cutoff": "2022-05-27"})
    assert sample("--n", "1", "--ckpt", "heavy.safetensors") == 0
    assert "no templates are searched for" in capsys.readouterr().out
    assert sample("--n", "1", "--ckpt", "heavy.safetensors", "--templates", "mine", "--overwrite") == 2
    assert "do not have the atoms O2' of this model" in capsys.readouterr().err


def test_conformers_are_added_wherever_the_files_lie(sample, capsys) -> None:
    assert sample("--n", "1", "--templates", "mine/one.cif", "auto") == 0
    first = Path("out/one/conformer_1.cif").read_bytes()
    shutil.move("mine/one.cif", "moved.cif")
    assert sample("--n", "2", "--templates", "auto", "moved.cif") == 0
    assert Path("out/one/conformer_1.cif").read_bytes() == first
    assert sample("--n", "2", "--templates", "mine/two.cif", "auto") == 2
    assert "files of templates, drafts, fixed parts or states: not the same" in capsys.readouterr().err


def test_a_template_file_as_late_as_the_target_is_leakage(sample, capsys) -> None:
    assert sample("--n", "1", "--templates", "mine") == 0
    dates = "id,release_date\none,2023-01-01\ntwo,2023-01-01\n"
    Path("dates.csv").write_text(dates)
    arguments = ["out", "out/submission.csv", "--dates", "dates.csv", "--no-baselines"]
    assert evaluate(arguments) == 2
    assert "a template of 2023-01-01 is not older than the date of 2 of 2 targets" in capsys.readouterr().err
    assert evaluate([*arguments, "--allow-leakage"]) == 0
