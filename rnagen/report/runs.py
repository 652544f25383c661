"""Runs of training as they lie in their folders: options and validations, and which of them are repetitions."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rnagen.config.files import load_yaml
from rnagen.config.resume import MAY_CHANGE, OF_ONE_COMMAND
from rnagen.errors import ConfigError, InputError
from rnagen.io.files import read_json
from rnagen.messages import one_line

CONFIG = "config.yaml"
"""The options of a run; a folder without it holds none."""
DATA = ("data", "splits")
UNIMPORTANT = {"seed", *MAY_CHANGE, *OF_ONE_COMMAND} - {"epochs", "ckpt", "structure", *DATA}
"""Options in which repetitions of a setting may differ: the seed, and what a run may change when it is resumed, but for
its length. Data are the same if their contents are, wherever they lie."""


@dataclass(frozen=True)
class Run:
    """One training."""

    folder: Path
    options: dict[str, Any]
    records: tuple[dict[str, Any], ...]
    """Validations by step."""
    contents_hash: str = ""
    """Of the data and of the chains that trained; empty if the run has not saved weights."""
    places: dict[str, Any] = field(default_factory=dict)
    """Where its data are, as the first run on the same data has it."""

    @property
    def seed(self) -> int:
        """Of the training."""
        return int(self.options.get("seed", 0))

    @property
    def setting(self) -> dict[str, Any]:
        """The options that matter."""
        found = {name: value for name, value in self.options.items() if name not in UNIMPORTANT}
        # A training that was resumed is the same as one in one piece.
        if str(found.get("ckpt", "")).endswith(".ckpt"):
            found["ckpt"] = None
        return found | self.places

    @property
    def metrics(self) -> set[str]:
        """Names of the metrics of the last validation."""
        return {name for name, value in self.records[-1].items() if name.startswith("val/") and _is_number(value)}

    def scores(self, metric: str) -> dict[str, float]:
        """Scores of the last validation: by target where they are recorded, else their mean alone."""
        last, name = self.records[-1], metric.removeprefix("val/")
        found = {target["id"]: float(target[name]) for target in last.get("targets", []) if name in target}
        return found or {"mean": float(last[metric])}


@dataclass(frozen=True)
class Setting:
    """Runs that differ in nothing but the seed."""

    name: str
    runs: tuple[Run, ...]

    def run_of(self, seed: int) -> Run:
        """The last run with a seed."""
        return {run.seed: run for run in self.runs}[seed]

    @property
    def seeds(self) -> list[int]:
        """Of the runs."""
        return sorted({run.seed for run in self.runs})


def read_run(folder: Path) -> Run:
    """A run, from config.yaml and metrics.jsonl of its folder.

    Raises:
        InputError: one of them is missing or cannot be read, or there was no validation.
    """
    file = folder / "metrics.jsonl"
    try:
        options = load_yaml(folder / CONFIG)
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        # A run that was killed and resumed has measured some steps twice.
        by_step = {int(record["step"]): record for record in records}
        targets = [target for record in records for target in record.get("targets", [])]
        good = all(isinstance(target["id"], str) for target in targets) and _is_number(options.get("seed", 0))
    except ConfigError as error:
        raise InputError(folder, None, f"is not a run: {error}") from error
    except OSError as error:
        raise InputError(file, None, f"{error.strerror or error} (a run that has not validated?)") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(file, None, f"is not a record of validations: {error!r}") from error
    if not good or not by_step:
        raise InputError(file, None, "holds no validation" if good else "is not a record of validations")
    return Run(folder, options, tuple(by_step[step] for step in sorted(by_step)), _contents_hash(folder))


def _contents_hash(folder: Path) -> str:
    """Hash of the data of a run, of the description of its last weights; empty where that is not there."""
    try:
        return str(read_json(folder / "last.json")["data"]["contents_hash"])
    except (InputError, LookupError, TypeError):
        return ""


def run_folders(paths: Iterable[Path]) -> list[Path]:
    """The folders of runs that are meant: a folder of runs stands for the runs in it. Files, and folders without a run,
    are left out beside others, for `runs/*` names them too; what does not exist stays."""
    given = list(paths)
    found: list[Path] = []
    for path in given:
        inner = [] if (path / CONFIG).exists() else sorted(file.parent for file in path.glob(f"*/{CONFIG}"))
        found += inner or [path]
    meant = [path for path in found if (path / CONFIG).exists() or not path.exists()]
    return meant if any(path.exists() for path in meant) else found


def read_runs(folders: Iterable[Path]) -> tuple[list[Run], list[InputError]]:
    """The runs that share a metric with the first of them, and why the others are left out; see `run_folders`."""
    runs: list[Run] = []
    errors: list[InputError] = []
    for folder in run_folders(folders):
        try:
            run = read_run(folder)
        except InputError as error:
            errors.append(error)
            continue
        if runs and not run.metrics & runs[0].metrics:
            errors.append(InputError(folder, None, f"shares no metric with {runs[0].folder}"))
        else:
            same = next((one for one in runs if run.contents_hash and one.contents_hash == run.contents_hash), None)
            runs.append(run if same is None else replace(run, places={name: same.setting.get(name) for name in DATA}))
    return runs, errors


def settings_of(runs: Sequence[Run]) -> list[Setting]:
    """The runs by their options, in order; a setting is named by the options that differ between them."""
    differing = differing_options(runs)
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(json.dumps(run.setting, sort_keys=True, default=str), []).append(run)
    names = [_name(some[0], differing) for some in found.values()]
    return [Setting(name, tuple(some)) for name, some in zip(names, found.values())]


def differing_options(runs: Sequence[Run]) -> list[str]:
    """Names of the options in which the runs differ."""
    names = dict.fromkeys(name for run in runs for name in run.setting)
    return [name for name in names if len({repr(run.setting.get(name)) for run in runs}) > 1]


def shared_metrics(runs: Sequence[Run]) -> list[str]:
    """Metrics that every run has, in the order of the first."""
    return [name for name in runs[0].records[-1] if all(name in run.metrics for run in runs)]


def _name(run: Run, differing: list[str]) -> str:
    return ", ".join(f"{name} {one_line(run.setting.get(name), 40)}" for name in differing) or run.folder.name


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
