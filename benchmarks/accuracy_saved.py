"""Results of `accuracy.py` on disk: one file per checkpoint, chain by chain, and the baselines that all share."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnagen.errors import InputError
from rnagen.io.files import write_text

BASELINES_FILE = "baselines.json"


@dataclass
class Result:
    """One checkpoint, measured as far as it is."""

    path: Path
    header: dict[str, Any]
    """The description of the checkpoint."""
    identity: dict[str, Any]
    """What the numbers depend on: files and options."""
    expected: dict[str, int]
    """Targets of each set."""
    targets: dict[str, dict[str, dict[str, Any]]]
    """Numbers of each target, by set and name."""

    @property
    def name(self) -> str:
        """Run and step."""
        return str(self.header["name"])

    @classmethod
    def open(cls, folder: Path, header: dict[str, Any], identity: dict[str, Any]) -> "Result":
        """What is saved of a checkpoint, or nothing yet.

        Raises:
            InputError: under its name something else is saved, or with other options.
        """
        path = folder / f"{header['name']}.json"
        if not path.is_file():
            return cls(path, header, identity, {}, {})
        found = cls.read(path)
        different = [name for name in identity if found.identity.get(name) != identity[name]]
        if different:
            rows = ", ".join(f"{name} {found.identity.get(name)!r}, now {identity[name]!r}" for name in different)
            raise InputError(
                path, different[0], f"was measured otherwise ({rows}): delete it, or choose other --results"
            )
        return found

    @classmethod
    def read(cls, path: Path) -> "Result":
        """What `add` wrote.

        Raises:
            InputError: it is no such file.
        """
        try:
            saved = json.loads(path.read_text())
            return cls(path, *(saved[part] for part in ("header", "identity", "expected", "targets")))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(path, None, f"is no result of accuracy.py: {error!r}") from error

    def expect(self, label: str, count: int) -> None:
        """A set is going to be measured."""
        self.expected[label] = count
        self.targets.setdefault(label, {})

    def add(self, label: str, name: str, numbers: dict[str, Any]) -> None:
        """One target more; what is on disk is whole at any time."""
        self.targets[label][name] = numbers
        parts = {"header": self.header, "identity": self.identity, "expected": self.expected, "targets": self.targets}
        write_text(self.path, as_text(parts) + "\n")


def read_results(folder: Path) -> list[Result]:
    """All that is saved, by run and step.

    Raises:
        InputError: nothing is, or a file is damaged.
    """
    found = [Result.read(path) for path in folder.glob("*.json") if path.name != BASELINES_FILE]
    if not found:
        raise InputError(folder, None, "holds no result: name a checkpoint")
    return sorted(found, key=lambda result: (result.header["config"]["run_name"], result.header["step"]))


def read_baselines(folder: Path) -> dict[str, dict[str, float]]:
    """Baselines by the digest of their target, as far as they are known."""
    path = folder / BASELINES_FILE
    return json.loads(path.read_text()) if path.is_file() else {}


def write_baselines(folder: Path, baselines: dict[str, dict[str, float]]) -> None:
    """Save the baselines."""
    write_text(folder / BASELINES_FILE, as_text(baselines) + "\n")


def as_text(value: Any, depth: int = 0) -> str:
    """JSON with a line for each target: mappings that hold mappings are spread out."""
    if not isinstance(value, dict) or not any(isinstance(part, dict) for part in value.values()):
        return json.dumps(value, ensure_ascii=False)
    indent = " " * (depth + 1)
    lines = [f"{indent}{json.dumps(key)}: {as_text(part, depth + 1)}" for key, part in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"
