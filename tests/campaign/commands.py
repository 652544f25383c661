"""The commands of the campaign: small, and each with what must be the same whatever went wrong before."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.data.dataset import Dataset
from rnagen.preparation.synthetic import synthetic_dataset
from tests.helpers.chains import rewrite, write_collection
from tests.helpers.tiny import TINY, TINY_FLAGS, tiny_model

FASTA = ">long\nGGGAAACUUCGGUUUCCC\n>short\nGGGAAACCC\n"
EPOCHS = 3
Contents = dict[str, Any]


@dataclass(frozen=True)
class Command:
    """One command of the campaign."""

    name: str
    begin: Callable[[Path], list[str]]
    """Its words for an output folder."""
    resume: Callable[[Path], list[str]]
    """Those that go on after a fault."""
    contents: Callable[[Path], Contents]
    """What must not differ from an undisturbed run, by name."""
    given: Path | None = None
    """What lies in the output folder before it begins."""

    def lay_out(self, out: Path) -> None:
        """What the command finds there."""
        if self.given is not None:
            shutil.copytree(self.given, out)


def make_inputs(folder: Path) -> None:
    """Structures and tables, a dataset with its splits, a model and sequences."""
    write_collection(folder / "in")
    synthetic_dataset(folder / "data", 12, seed=1)
    rewrite(folder / "data", release_date=["2001-01-01"] * 12)
    ids = Dataset.open(folder / "data").chains.names
    for name, part in (("train", ids[:9]), ("val", ids[9:])):
        (folder / f"{name}.csv").write_text("id\n" + "".join(f"{i}\n" for i in part))
    save_checkpoint(folder / "tiny.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})
    (folder / "in.fasta").write_text(FASTA)


def all_commands(inputs: Path) -> list[Command]:
    """prepare, library, train, sample and report on small inputs; `sampled` has to be there for the last."""

    def same(words: list[str]) -> dict[str, Any]:
        def call(out: Path) -> list[str]:
            return [word.replace("OUT", str(out)) for word in words]

        return {"begin": call, "resume": call}

    def train(out: Path) -> list[str]:
        places = [
            "--data",
            f"{inputs}/data",
            "--splits",
            f"{inputs}",
            "--run-dir",
            f"{out.parent}",
            "--run-name",
            out.name,
        ]
        lengths = ["--epochs", str(EPOCHS), "--train-batches", "2", "--val-batches", "1", "--val-epoch-freq", "1"]
        return ["train", *TINY_FLAGS, *lengths, "--lr-warmup", "2", "--print-freq", "1", *places]

    def go_on(out: Path) -> list[str]:
        return ["train", "--ckpt", str(out / "last.ckpt")] if (out / "last.ckpt").is_file() else train(out)

    chosen = ["--ckpt", f"{inputs}/tiny.safetensors", "--fasta", f"{inputs}/in.fasta", "--templates", "none"]
    sample = ["sample", *chosen, "--n", "2", "--steps", "2", "--device", "cpu", "--out", "OUT"]
    return [
        Command("prepare", **same(["prepare", f"{inputs}/in", "--out", "OUT", "--workers", "1"]), contents=_dataset),
        Command(
            "library",
            **same(["library", f"{inputs}/in", "--out", "OUT/l.safetensors", "--workers", "1"]),
            contents=_files,
        ),
        Command("train", train, go_on, _training),
        Command("sample", **same(sample), contents=_files),
        Command(
            "report", **same(["report", "OUT", "--figures", "OUT/figures"]), contents=_files, given=inputs / "sampled"
        ),
    ]


def _files(out: Path) -> Contents:
    """Every file; a summary without the time that it took."""
    found: Contents = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file() and path.name != ".lock"):
        name = str(path.relative_to(out))
        if path.name == "summary.json":
            found[name] = {key: value for key, value in json.loads(path.read_text()).items() if key != "seconds"}
        else:
            found[name] = _hash(path.read_bytes())
    return found


def _dataset(out: Path) -> Contents:
    """The dataset and its tables; what the folder `work` saves the next run is not part of the result."""
    return {name: value for name, value in _files(out).items() if not name.startswith("work/")}


def _training(out: Path) -> Contents:
    """Weights, optimizer and validations. Their files also have the time, the command and where the run began."""
    state = torch.load(out / "last.ckpt", weights_only=True)
    found: Contents = {"step": state["global_step"], "best": state["callbacks"]["CheckpointWriter"]["best"]}
    for name, tensor in state["state_dict"].items():
        found[f"state/{name}"] = _hash(np.ascontiguousarray(tensor.numpy()).tobytes())
    for name in ("last.safetensors", "best.safetensors"):
        found[name] = _hash((out / name).read_bytes())
    found["metrics.jsonl"] = (out / "metrics.jsonl").read_text()
    found["leftovers"] = sorted(path.name for path in out.rglob(".*.tmp"))
    return found


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
