"""Commands of the README and of the pages for users run, and their tables are those of the stored results.

The commands are read out of the `sh` blocks and run in a copy of the repository, in the order in which they stand.
Inputs that a user would bring are made here. Training is cut short by more flags; nothing else is changed. That the
other commands of the documents parse is the matter of test_commands.py.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rnagen.cli.main import main
from rnagen.io.kaggle import write_labels
from rnagen.io.labels import read_labels
from rnagen.io.write import write_structure
from rnagen.metrics import bootstrap_interval
from rnagen.preparation import sample_set
from rnagen.preparation.synthetic import synthetic_rna
from tests.helpers.commands import ROOT, block_commands, blocks, python_calls
from tests.helpers.profiles import make_profiles, write_profiles

README = ROOT / "README.md"
DOCS = ROOT / "docs"
RESULTS = ROOT / "benchmarks" / "results"
TABLE = {
    "templates_casp15": "`small`, CASP15, with templates",
    "casp15": "`small`, CASP15, model alone",
    "templates_val": "`small`, later chains, with templates",
    "val": "`small`, later chains, model alone",
    "templates_base_casp15": "`base`, CASP15, with templates",
    "base_casp15": "`base`, CASP15, model alone",
    "templates_base_val": "`base`, later chains, with templates",
    "base_val": "`base`, later chains, model alone",
    "templates_informed_casp15": "`informed`, CASP15, with templates",
    "informed_casp15": "`informed`, CASP15, model alone",
    "templates_informed_val": "`informed`, later chains, with templates",
    "dated_informed_val": "`informed`, later chains, with templates older than each RNA",
    "informed_val": "`informed`, later chains, model alone",
}
"""Rows of the README's table by stored results."""
PAGES = (README, DOCS / "sampling.md", DOCS / "training.md", DOCS / "inputs.md", DOCS / "submission.md")
SHORT = "--epochs 1 --train-batches 2 --val-batches 1 --batch-size 2"
SHORT_TRAINING = {
    "structure": f"{SHORT} --val-repeat 2 --copies 2 --steps 2",
    "reactivity": SHORT,
    "confidence": f"{SHORT} --conformers 1 --copies 2 --steps 2",
}


def commands() -> list[str]:
    """Lines of all `sh` blocks of the pages, each once."""
    return list(dict.fromkeys(line for page in PAGES for line in block_commands(page)))


def in_new_environment(command: str) -> bool:
    return command.startswith("python3 -m venv")


def takes_hours(command: str) -> bool:
    return command.startswith("python benchmarks/")


def needs_network_or_gpu(command: str) -> bool:
    """Or files that nothing makes here. The training of `base` and what goes on from it: tests/e2e/test_bare_gpu.py and
    tests/e2e/test_references.py run its programs."""
    made_there = ("runs/variants", "runs/references", "runs/reads", "runs/joined", "out/val_w60")
    # tests/cli/test_sample_structures.py makes files of secondary structures.
    structures = ("--structure mine.ct", "--structure my_structures")
    return any(part in command for part in ("--fetch", "runs/bare_gpu", *made_there, *structures))


def needs_benchmark_tables(command: str) -> bool:
    return any(place in command for place in ("kaggle/", "out/casp15", "out/val"))


def copy_of_the_repository(folder: Path) -> Path:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def make_what_users_bring(folder: Path) -> None:
    (folder / "my_rnas.fasta").write_text(">first\nGGGAAACUUCGGUUUCCC\n>second\nGGCGAAAGCC\n")
    structures = folder / "my_structures"
    structures.mkdir()
    for seed in range(6):
        rna = synthetic_rna(seed, 24 + 4 * seed)
        write_structure(rna, structures / f"mine{seed}.cif")
    write_profiles(make_profiles(40), folder / "train_data.parquet")
    (folder / "my_alignments").mkdir()
    (folder / "my_alignments" / "first.a3m").write_text(">first\nGGGAAACUUCGGUUUCCC\n>other\nGGCAAACUUCGGUUUGCC\n")


def link_validation_chains(shared_data: Path, folder: Path) -> None:
    """The validation chains alone, as files and as a table: preparing all chains takes minutes."""
    ids = set(pd.read_csv(ROOT / "splits" / "val.csv")["id"])
    (folder / "structures").mkdir(parents=True)
    (folder / "kaggle").mkdir()
    (folder / "index.csv").symlink_to(shared_data / "index.csv")
    for name in ids:
        file = shared_data / "structures" / f"{name}.cif.gz"
        if file.is_file():
            (folder / "structures" / file.name).symlink_to(file)

    def chain_id(name: str) -> str:
        entry, _, chain = name.partition("_")
        return f"{entry.lower()}_{chain}"

    labels = [s for s in read_labels(shared_data / "kaggle" / "train_labels.csv") if chain_id(s.name) in ids]
    write_labels(folder / "kaggle" / "train_labels.csv", labels)


def run_all(chosen: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run commands in a folder: the first in a shell, as a user does, the others in this process, which is faster."""
    monkeypatch.chdir(folder)
    run_in_shell(chosen[0], folder)
    for command in chosen[1:]:
        calls = python_calls(command)
        if not calls:
            run_in_shell(command, folder)
        for program, *arguments in calls:
            verb = [] if program == "rnagen" else [Path(program).stem]
            task = next((name for name in SHORT_TRAINING if f"--task {name}" in command), "structure")
            short = SHORT_TRAINING[task].split() if program == "train.py" else []
            assert main([*verb, *arguments, *short]) == 0, command


def run_in_shell(command: str, folder: Path) -> None:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "PYTHONPATH": str(folder),
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_the_readme_is_short_and_has_both_commands() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= 220
    first, second = (line for line in lines if line.startswith("python3 -m venv"))
    assert first.endswith("sample.py --n 5")
    assert "pytest" in second


def test_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks(README, "python")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code, names)
    ensemble = names["ensemble"]
    assert ensemble.coords.shape == (5, 14, 27, 3)  # type: ignore[attr-defined]
    assert ensemble.confidence.lddt.shape == (5, 14)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_of_the_repository(tmp_path)
    make_what_users_bring(folder)
    monkeypatch.setattr(sample_set, "TRAINING", 16)
    skipped = (in_new_environment, takes_hours, needs_network_or_gpu, needs_benchmark_tables)
    run_all([command for command in commands() if not any(skip(command) for skip in skipped)], folder, monkeypatch)


@pytest.mark.slow
@pytest.mark.data
def test_benchmark_commands_run(tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_of_the_repository(tmp_path)
    (folder / "kaggle").symlink_to(shared_data / "kaggle")
    link_validation_chains(shared_data, folder / "val")
    chosen = [line for line in commands() if needs_benchmark_tables(line) and not needs_network_or_gpu(line)]
    run_all(["rnagen prepare val --out data", *chosen], folder, monkeypatch)


def test_numbers_of_the_table_are_those_of_the_stored_results() -> None:
    """The README's accuracy tables are what `rnagen evaluate --out` wrote into benchmarks/results."""
    rows = [line for line in README.read_text().splitlines() if line.startswith("|")]
    sets = {"casp15": "CASP15", "val": "later chains"}
    for stored, label in TABLE.items():
        summary = read_summary(stored)
        (row,) = [line for line in rows if line.startswith(f"| {label} |")]
        for column in ("best5", "independent5"):
            value = summary.get(column)
            assert value is None or f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" in row
        for column in ("best1", "independent1", "one_minus_tm"):
            assert column not in summary or f" {summary[column]['mean']:.3f} |" in row, (stored, column)
    for name, label in sets.items():
        summary = read_summary(f"templates_{name}")
        (row,) = [line for line in rows if line.startswith(f"| {label}, ")]
        for column in ("helix", "stems", "templates"):
            pair = summary[column]["mean"], summary[f"independent_{column}"]["mean"]
            assert f"{pair[0]:.3f} / {pair[1]:.3f}" in row, (name, column)
        assert f" {summary['random_walk']['mean']:.3f} |" in row


def test_gains_by_templates_are_those_of_the_stored_results() -> None:
    text = " ".join(README.read_text().split())
    for name in ("val", "casp15"):
        one, other = (
            {target["target"]: target["best5"] for target in read_targets(stored)}
            for stored in (f"templates_informed_{name}", f"informed_{name}")
        )
        gains = np.array([one[target] - other[target] for target in one])
        low, high = bootstrap_interval(gains, 0)
        assert f"{gains.mean():+.3f} [{low:+.3f}, {high:+.3f}]".replace("-", "−") in text, name


def read_summary(name: str) -> dict[str, dict[str, float]]:
    """Means of stored results."""
    found: dict[str, dict[str, float]] = json.loads((RESULTS / f"{name}.json").read_text())["summary"]
    return found


def read_targets(name: str) -> list[dict[str, Any]]:
    """Targets of stored results."""
    found: list[dict[str, Any]] = json.loads((RESULTS / f"{name}.json").read_text())["targets"]
    return found


def test_numbers_of_the_table_of_base_are_those_of_the_stored_results() -> None:
    """`base` beside `small` on the same RNAs: what `rnagen evaluate --out` wrote, by length and paired."""
    page = (DOCS / "accuracy.md").read_text()
    table = page[page.index("<!-- base -->") : page.index("<!-- end base -->")]
    rows = {row[0]: row[1:] for row in ([c.strip() for c in line.strip("|").split("|")] for line in table.splitlines())}
    bands = {"under 60 nt": (0, 60), "60 to 99 nt": (60, 100), "100 to 159 nt": (100, 160), "from 160 nt": (160, 10**9)}
    for name, label, parts in (("val", "later chains", bands), ("casp15", "CASP15", {})):
        found = []
        for prefix in ("", "base_"):
            stored = json.loads((RESULTS / f"{prefix}{name}.json").read_text())["targets"]
            found.append({target["target"]: (target["length"], target["best5"]) for target in stored})
        small, base = found
        for title, (low, high) in {label: (0, 10**9), **parts}.items():
            chosen = [target for target, (length, _) in small.items() if low <= length < high]
            pairs = np.array([[small[target][1], base[target][1]] for target in chosen])
            numbers = [str(len(chosen)), *(f"{mean:.3f}" for mean in pairs.mean(0))]
            assert rows[title][:3] == numbers, title
        gains = np.array([base[target][1] - small[target][1] for target in small])
        low, high = bootstrap_interval(gains, 0)
        expected = f"{gains.mean():+.3f} [{low:+.3f}, {high:+.3f}]".replace("-", "−")
        assert rows[label][3] == expected


def test_numbers_of_the_steps_table_are_those_of_the_stored_results() -> None:
    """What `benchmarks/steps.py --out` wrote."""
    stored = json.loads((RESULTS / "steps.json").read_text())["rows"]
    lines = (DOCS / "sampling.md").read_text().splitlines()
    (steps,) = [line for line in lines if line.startswith("| steps |")]
    for label, method in (("SDE", "euler-maruyama"), ("ODE", "euler")):
        (row,) = [line for line in lines if line.startswith(f"| {label}") and "best of 5" in line]
        for number, value in zip(steps.split("|")[2:-1], row.split("|")[2:-1]):
            assert value.strip() == f"{stored[f'{method} {number.strip()}']['best5']:.3f}"


def test_numbers_of_the_settings_table_are_those_of_the_stored_results() -> None:
    stored = json.loads((RESULTS / "settings.json").read_text())["rows"]
    lines = (DOCS / "sampling.md").read_text().splitlines()
    (head,) = [line for line in lines if line.startswith("| | default (`--tau 0.05`)")]
    settings = ["steps=20"] + [
        f"steps=20,{name}={value}" for name, value in re.findall(r"`--(\w+) ([\d.]+)`", head)[1:]
    ]
    for label, column in (("best of 5", "best5"), ("best of 1", "best1"), ("1 − TM among", "one_minus_tm")):
        (row,) = [line for line in lines if line.startswith(f"| {label}")]
        assert [cell.strip() for cell in row.split("|")[2:-1]] == [f"{stored[name][column]:.3f}" for name in settings]


def test_numbers_of_the_transport_page_are_those_of_the_stored_results() -> None:
    """What `benchmarks/experiments.py flow --out` wrote, in its order."""
    stored = json.loads((RESULTS / "trainings.json").read_text())
    page = (DOCS / "transport.md").read_text()
    table = [line.split("|") for line in page.splitlines() if "→" in line and line.startswith("|")][1:]
    assert len(table) == len(stored["training"])
    for row, (name, flow) in zip(table, stored["training"].items()):
        assert row[2].strip() == f"{flow['flow_first']:.3f} → {flow['flow_last']:.3f}"
        for cell, sampler in ((row[3], "SDE"), (row[4], "ODE")):
            best = stored["rows"][f"{name} {sampler}"]
            assert cell.strip() == f"{best['best5']:.3f} [{best['best5_low']:.3f}, {best['best5_high']:.3f}]"


def test_numbers_of_the_reactivity_page_are_those_of_the_stored_results() -> None:
    """What `benchmarks/reactivity.py --out` wrote."""
    page = (DOCS / "reactivity.md").read_text().splitlines()
    stored = json.loads((RESULTS / "reactivity.json").read_text())["rows"]
    assert len(stored) > 4
    for row in stored:
        (line,) = [line for line in page if line.startswith(f"| {row['name']} |")]
        cells = [f"{cell['mae']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]" for cell in row["errors"].values()]
        assert [cell.strip() for cell in line.split("|")[3:-1]] == cells
    readme = README.read_text()
    for name in ("shipped checkpoint", "baseline: base × unpaired"):
        (errors,) = [row["errors"] for row in stored if row["name"] == name]
        one, dms, shape = (f"{errors[experiment]['mae']:.3f}" for experiment in ("1M7_MaP", "DMS_MaP", "SHAPE"))
        patterns = (rf"{one} for 1M7, {dms} for DMS\s+and {shape} for SHAPE", rf"{one}, {dms} and {shape}")
        assert any(re.search(pattern, readme) for pattern in patterns), name
