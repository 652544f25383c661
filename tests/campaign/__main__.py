"""The campaign of faults: `python -m tests.campaign`, or less of it with `--kills 3 --others 1 --inputs 1000`.

Each of prepare, library, train, sample and report is killed, and stopped in other ways, at moments of chance; then the
same command runs again, and its result must be that of an undisturbed run, byte by byte. Then all readers get mutated
inputs (`tests.fuzz`). Prints a table, saves it as JSON, and returns 1 if anything was found. `--kills 0 --others 0`
leaves the faults out and `--inputs 0` the inputs; what the file has of them then stays.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from rnagen.version import __version__
from tests import fuzz
from tests.campaign import folders, not_numbers
from tests.campaign.commands import Command, all_commands, make_inputs
from tests.campaign.faults import Fault
from tests.campaign.trials import KINDS, reference, run, trial

NEEDED = (
    *("cli.prepare", "cli.library", "cli.train", "cli.sample", "cli.report", "preparation.run", "preparation.library"),
    *("training.fit", "tasks.structure.task", "sampling.run", "report.page.write", "report.page.figures"),
)
"""Modules of rnagen that the commands import when they run."""


class Campaign:
    """Its trials so far."""

    def __init__(self, place: Path, seed: int, names: Sequence[str]) -> None:
        self.place, self.seed, self.started = place, seed, time.monotonic()
        self.trials: Counter[tuple[str, str]] = Counter()
        self.struck: Counter[tuple[str, str]] = Counter()
        self.found: list[dict[str, Any]] = []
        make_inputs(place / "inputs")
        every = {command.name: command for command in all_commands(place / "inputs")}
        sampled = run(every["sample"].begin(place / "inputs" / "sampled"), place / "inputs" / "sampled", Fault("none"))
        if sampled.code:
            raise RuntimeError(f"sample: {sampled.errors}")
        self.commands = [every[name] for name in names]
        self.whole = {command.name: reference(command, place / command.name) for command in self.commands}

    def faults(self, kind: str, number: int) -> None:
        """Trials of one kind at moments of chance, with each command."""
        for command in self.commands:
            print(f"{time.monotonic() - self.started:6.0f} s  {kind}: {command.name}", file=sys.stderr, flush=True)
            for k in range(number):
                place = self.place / command.name / f"{kind.replace(' ', '-')}-{k}"
                code, wrong = trial(command, self.whole[command.name], kind, self.seed + k, place)  # type: ignore[arg-type]
                self._count(kind, command, self.seed + k, wrong, code)

    def of_folders(self, number: int) -> None:
        """Folders that cannot be written, and that two runs want."""
        for command in self.commands:
            whole = self.whole[command.name]
            place = self.place / command.name
            self._count("read only", command, 0, "; ".join(folders.read_only(command, whole, place / "read-only")), 2)
            for k in range(number):
                wrong = folders.two_runs(command, whole, place / f"two-runs-{k}")
                self._count("two runs", command, k, "; ".join(wrong), 2)

    def of_not_numbers(self) -> None:
        """NaN in the data and in the losses of a training."""
        train = next((command for command in self.commands if command.name == "train"), None)
        if train is None:
            return
        for share in (0.001, 0.2, 1.0):
            place = self.place / "train" / f"nan-data-{share}"
            wrong = not_numbers.nan_in_data(train, self.place / "inputs" / "data", place, share)
            self._count("NaN in data", train, 0, "; ".join(wrong), 0)
        for k, steps in enumerate(({0}, {1, 3}, set(range(100)))):
            wrong = not_numbers.nan_in_training(train, self.place / "train" / f"nan-loss-{k}", steps)
            self._count("NaN in training", train, k, "; ".join(wrong), 0)

    def _count(self, kind: str, command: Command, seed: int, wrong: str, code: int) -> None:
        self.trials[kind, command.name] += 1
        self.struck[kind, command.name] += code != 0
        if wrong:
            self.found.append({"fault": kind, "command": command.name, "seed": seed, "found": wrong})
            print(f"FOUND {kind} {command.name} {seed}: {wrong}", flush=True)

    def table(self) -> str:
        """Trials by fault and command; in brackets those that the process did not end well."""
        names = [command.name for command in self.commands]
        kinds = list(dict.fromkeys(kind for kind, _ in self.trials))
        lines = [f"{'fault':<16}" + "".join(f"{name:>12}" for name in names) + f"{'found':>8}"]
        for kind in kinds:
            cells = [f"{self.trials[kind, name]} ({self.struck[kind, name]})" for name in names]
            count = sum(one["fault"] == kind for one in self.found)
            lines.append(f"{kind:<16}" + "".join(f"{cell:>12}" for cell in cells) + f"{count:>8}")
        return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the campaign; 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=str(__doc__).splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of each command")
    parser.add_argument("--others", type=int, default=10, help="trials of each other fault with each command")
    parser.add_argument("--inputs", type=int, default=100_000, help="mutated inputs")
    parser.add_argument("--commands", nargs="+", default=["prepare", "library", "train", "sample", "report"])
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="of faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="JSON file of the results")
    options = parser.parse_args(arguments)
    parts: dict[str, dict[str, Any]] = {}
    if options.kills or options.others:
        parts["faults"] = measured(
            lambda: of_faults(options), options, ("kills", "others", "commands", "kinds", "seed")
        )
    if options.inputs:
        parts["mutated inputs"] = measured(lambda: of_inputs(options), options, ("inputs", "seed"))
    if options.save is not None:
        saved = json.loads(options.save.read_text()) if options.save.is_file() else {}
        options.save.parent.mkdir(parents=True, exist_ok=True)
        options.save.write_text(json.dumps(saved | parts, indent=1) + "\n")
    return int(any(part["found"] for part in parts.values()))


def measured(part: Callable[[], dict[str, Any]], options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """What a part of the campaign found, with its options, the versions, and the minutes that it took."""
    started = time.monotonic()
    return {
        "options": {name: getattr(options, name) for name in names},
        "versions": {"rnagen": __version__, "torch": torch.__version__, "python": platform.python_version()},
        **part(),
        "minutes": round((time.monotonic() - started) / 60, 1),
    }


def of_faults(options: argparse.Namespace) -> dict[str, Any]:
    """Kills and other faults of the commands."""
    torch.set_num_threads(1)
    for name in NEEDED:
        importlib.import_module(f"rnagen.{name}")
    with tempfile.TemporaryDirectory() as place:
        os.environ["RNAGEN_CACHE"] = f"{place}/cache"
        campaign = Campaign(Path(place), options.seed, options.commands)
        for kind in options.kinds:
            campaign.faults(kind, options.kills if kind == "kill" else options.others)
        if options.others:
            campaign.of_folders(min(options.others, 3))
            campaign.of_not_numbers()
    print(campaign.table())
    return {
        "trials": {f"{kind}, {name}": count for (kind, name), count in campaign.trials.items()},
        "ended_by_the_fault": {f"{kind}, {name}": count for (kind, name), count in campaign.struck.items()},
        "found": campaign.found,
    }


def of_inputs(options: argparse.Namespace) -> dict[str, Any]:
    """Mutated inputs of all readers."""
    counts, wrong = fuzz.run(options.inputs, options.seed)
    outcomes = Counter[str]()
    for (_, outcome), count in counts.items():
        outcomes[outcome] += count
    print(f"{options.inputs} inputs: {outcomes['result']} read, {outcomes['error']} refused, {len(wrong)} found")
    print("\n".join(wrong))
    return {"outcomes": dict(outcomes), "found": wrong}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
