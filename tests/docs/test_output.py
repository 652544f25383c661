"""docs/output.md has the files and fields that real runs write: all of them, and no others."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from rnagen.allatom import complete
from rnagen.api import evaluate
from rnagen.cli.main import main
from rnagen.config.confidence import ConfidenceConfig
from rnagen.config.files import flatten
from rnagen.config.reactivity import ReactivityOptions
from rnagen.config.sampling import SampleConfig
from rnagen.config.structure import TrainConfig
from rnagen.io.read import read_structures
from rnagen.io.write import write_structure
from rnagen.preparation import sample_set
from rnagen.preparation.synthetic import synthetic_rna
from tests.helpers.commands import ROOT
from tests.helpers.tiny import TINY_FLAGS

PAGE = (ROOT / "docs" / "output.md").read_text()
SHORT = ["--epochs", "1", "--train-batches", "2", "--accelerator", "cpu"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the output of every command."""
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sample_set, "TRAINING", 8)
        patch.setattr(sample_set, "VALIDATION", 2)
        for seed in range(6):
            write_structure(synthetic_rna(seed, 24 + 4 * seed), folder / "structures" / f"mine{seed}.cif")
        run("sample --sequence GGGGCUUCGGCCCC --candidates 6 --n 5 --steps 2 --interactions --out out")
        (folder / "in.fasta").write_text(">rna\nGGGGCUUCGGCCCC\n(((((....)))))\n")
        np.save(folder / "rna.npy", np.zeros((14, 14)))
        run("sample --fasta in.fasta --structure rna.npy --ckpt base --n 1 --steps 2 --out given")
        run("train --print-freq 1 --keep-freq 1", *TINY_FLAGS, *SHORT)
        run("prepare structures --assume-date 2020-01-01 --out data --splits splits --workers 1")
        head, *chains = (folder / "splits/train.csv").read_text().splitlines()
        for name, rows in (("train", chains[:4]), ("val", chains[4:])):
            (folder / "splits" / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")
        run(
            "train --task confidence --structure runs/run/last.safetensors --run-name confidence --steps 2",
            *("--batch-size", "2", "--conformers", "1", "--copies", "2", "--val-conformers", "2"),
            *SHORT,
        )
        run("reactivity --sequence GGGGCUUCGGCCCC --out mapping --format csv")
        run("submit out --out merged/submission.csv")
        (sampled,) = read_structures(folder / "out" / "rna" / "ensemble.cif")
        write_structure(complete(sampled), folder / "full" / "rna.cif")
        scores = evaluate("full", "full", likelihood=True, ckpt="runs/run/last.safetensors", ensemble=True)
        (folder / "scores.json").write_text(scores.to_json())
        (folder / "scores.csv").write_text(scores.to_csv())
    return folder


def run(line: str, *flags: str) -> None:
    assert main([*line.split(), *flags]) == 0, line


def documented(name: str) -> set[str]:
    """Names in the first column of a table of fields."""
    (table,) = re.findall(rf"<!-- fields {re.escape(name)} -->\n(.*?)<!-- end fields -->", PAGE, flags=re.DOTALL)
    return {field for row in table.splitlines()[2:] for field in re.findall(r"`([^`]+)`", row.split("|")[1])}


def fields_of(value: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of everything in a JSON value; lists of objects count as one object."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from fields_of(inner, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield from fields_of(inner, prefix)
    else:
        yield prefix


def fields_of_file(path: Path) -> set[str]:
    return set(fields_of(json.loads(path.read_text())))


def generalised(fields: set[str], section: str, names: set[str], placeholder: str) -> set[str]:
    """The fields with `section.NAME` of the given names as `section.<placeholder>`."""
    known = {f"{section}.{name}" for name in names}
    assert fields & known, (section, fields)
    return (fields - known) | {f"{section}.<{placeholder}>"}


def columns(path: Path) -> list[str]:
    with path.open() as file:
        return next(csv.reader(file))


def test_run_json(written: Path) -> None:
    found = generalised(fields_of_file(written / "out/run.json"), "identity", set(flatten(SampleConfig())), "option")
    assert found == documented("run.json")


def test_summary_json(written: Path) -> None:
    options = set(flatten(SampleConfig().sampler))
    fields = fields_of_file(written / "out/rna/summary.json") | fields_of_file(written / "given/rna/summary.json")
    found = generalised(fields, "options", options, "option")
    assert found == documented("summary.json")


def test_ranking_csv(written: Path) -> None:
    assert set(columns(written / "out/ranking.csv")) == documented("ranking.csv")


def test_submission_csv(written: Path) -> None:
    found = {re.sub(r"_\d+$", "_<k>", column) for column in columns(written / "out/submission.csv")}
    assert found == documented("submission.csv")


def test_submission_json(written: Path) -> None:
    assert fields_of_file(written / "merged/submission.json") == documented("submission.json")


def test_metrics_jsonl(written: Path) -> None:
    (line,) = (written / "runs/run/metrics.jsonl").read_text().splitlines()
    assert set(fields_of(json.loads(line))) == documented("metrics.jsonl")


def test_description_of_structure_weights(written: Path) -> None:
    found = generalised(fields_of_file(written / "runs/run/last.json"), "config", set(flatten(TrainConfig())), "option")
    assert found == documented("last.json")


def test_description_of_a_confidence_model(written: Path) -> None:
    found = fields_of_file(written / "runs/confidence/last.json")
    found = generalised(found, "config", set(flatten(ConfidenceConfig().model)), "option")
    found = generalised(found, "training", set(flatten(ConfidenceConfig())), "option")
    metrics = {name.removeprefix("metrics.") for name in found if name.startswith("metrics.")}
    assert generalised(found, "metrics", metrics, "metric") == documented("confidence.json")


def test_dataset(written: Path) -> None:
    with safe_open(written / "data/chains.safetensors", "pt") as file:
        assert set(file.keys()) == documented("tensors")
        assert set(fields_of(json.loads(file.metadata()["rnagen"]))) == documented("dataset")
    (table,) = re.findall(r"<!-- fields tables -->\n(.*?)<!-- end fields -->", PAGE, flags=re.DOTALL)
    for row in table.splitlines()[2:]:
        file, *names = re.findall(r"`([^`]+)`", row)
        place = written / ("splits" if file in ("train.csv", "ensemble.csv") else "data")
        assert columns(place / file) == names


def test_reactivity(written: Path) -> None:
    found = {re.sub(r"_\d{4}$", "_<k>", column) for column in columns(written / "mapping/reactivity.csv")}
    assert found == documented("reactivity.csv")
    options = {"task", *flatten(ReactivityOptions())}
    found = generalised(fields_of_file(written / "mapping/run.json"), "identity", options, "option")
    assert found == documented("reactivity run.json")


def test_evaluation(written: Path) -> None:
    found = {re.sub(r"^summary\.\w+\.", "summary.<score>.", name) for name in fields_of_file(written / "scores.json")}
    found = {re.sub(r"(cov_[rp])\.[\d.]+$", r"\1.<Å>", name) for name in found}
    for pattern, general in (
        (r"^ensembles\.rna\.", "ensembles.<target>."),
        (r"\.numbers\.[\w.]+$", ".numbers.<score>"),
        (r"^ensemble_summary\.[\w.]+\.(\w+)$", r"ensemble_summary.<score>.\1"),
    ):
        found = {re.sub(pattern, general, name) for name in found}
    assert found == documented("evaluate.json")
    assert set(columns(written / "scores.csv")) == documented("evaluate.csv")


def test_files(written: Path) -> None:
    """Every file that is written is named, and every file that is named is written where the options ask for it."""
    rows = re.findall(
        r"^\| (`[^|]+) \|", re.sub(r"<!-- fields.*?<!-- end fields -->", "", PAGE, flags=re.DOTALL), flags=re.MULTILINE
    )
    named = {file.replace("NAME", "rna") for row in rows for file in re.findall(r"`([^`]+)`", row)}
    runs = {"out": written / "out", "run": written / "runs/run", "data": written / "data"}
    found = set()
    for folder in runs.values():
        for path in folder.rglob("*"):
            name = str(path.relative_to(folder))
            if path.is_file() and name not in named:
                covered = [known for known in named if known.endswith("/") and name.startswith(known)]
                assert covered or re.fullmatch(r"rna/conformer_[2-5]\.cif", name), name
                found.update(covered)
            elif path.is_file():
                found.add(name)
    assert named - found == {"held_out.parquet"}
