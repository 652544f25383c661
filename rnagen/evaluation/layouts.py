"""Folders of predictions, as rnagen and other programs write them: which files belong to which target, in which order.

| program | files of a target |
|---|---|
| rnagen | `<target>/conformer_1.cif` … |
| AlphaFold 3, its server | `fold_<target>_model_0.cif` … |
| AlphaFold 3, installed | `<target>/seed-1_sample-0/model.cif` …, `<target>/<target>_model.cif` is the best once more |
| Boltz | `predictions/<target>/<target>_model_0.cif` … |
| Protenix | `<target>/seed_101/predictions/<target>_sample_0.cif` … |
| Chai | `<target>/pred.model_idx_0.cif` … |
| RhoFold | `<target>/relaxed_1000_model.pdb`, `<target>/unrelaxed_model.pdb` |
| any other | `<target>.pdb`, conformers as its models |
"""

import re
from collections.abc import Collection
from pathlib import Path

from rnagen.io.files import read_json
from rnagen.io.formats import is_structure_file, stem

Rank = tuple[int, int]
"""Order of the conformers of a target; lower is better."""


def _numbered(match: "re.Match[str]") -> Rank:
    found = match.groupdict()
    return int(found.get("seed") or 0), int(found.get("rank") or 0)


_BY_NAME = [
    re.compile(r"fold_(?P<target>.+)_model_(?P<rank>\d+)"),
    re.compile(r"(?P<target>.+)_seed[-_](?P<seed>\d+)_sample[-_](?P<rank>\d+)(?:_model)?"),
    re.compile(r"(?P<target>.+)_(?:model|sample)_(?P<rank>\d+)"),
]
"""Names of files that hold the target and the rank."""
_BY_FOLDER = [
    re.compile(r"conformer_(?P<rank>\d+)"),
    re.compile(r"pred\.model_idx_(?P<rank>\d+)"),
    re.compile(r"(?P<is_last>un)?relaxed(?:_\d+)?_model"),
]
"""Names of files whose folder has the name of the target."""
_SAMPLE_FOLDER = re.compile(r"(?:.+_)?seed-(?P<seed>\d+)_sample-(?P<rank>\d+)")
_BEST_AGAIN = re.compile(r"(?P<target>.+)_model")
_BEST = (-1, -1)
_ENSEMBLE = "ensemble"


def find_conformers(folder: Path, wanted: Collection[str] = ()) -> dict[str, list[Path]]:
    """Files of each target, best first, in a folder and its subfolders; targets in the order of their names.

    Args:
        folder: of predictions.
        wanted: targets that may be there; a file of just this name is its prediction, whatever the tables say.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file() and is_structure_file(file))
    ranked: dict[str, list[tuple[Rank, Path]]] = {}
    for file in files:
        target, rank = (stem(file), (0, 0)) if stem(file) in wanted else _target_of(file)
        ranked.setdefault(target, []).append((rank, file))
    if len(ranked) > 1 and _ENSEMBLE not in wanted:
        ranked.pop(_ENSEMBLE, None)  # conformers that are there one by one too
    found = {}
    for target, conformers in sorted(ranked.items()):
        several = [pair for pair in conformers if pair[0] != _BEST] or conformers
        found[target] = [file for _, file in sorted(several)]
    return found


def _target_of(file: Path) -> tuple[str, Rank]:
    name = stem(file)
    for pattern in _BY_FOLDER:
        if match := pattern.fullmatch(name):
            return _name_of(file.parent), (1 if match.groupdict().get("is_last") else 0, _numbered(match)[1])
    if match := _SAMPLE_FOLDER.fullmatch(file.parent.name):
        return file.parent.parent.name, _numbered(match)
    for pattern in _BY_NAME:
        if match := pattern.fullmatch(name):
            return match["target"], _numbered(match)
    best = _BEST_AGAIN.fullmatch(name)
    return (best["target"], _BEST) if best and best["target"] == file.parent.name else (name, (0, 0))


def _name_of(folder: Path) -> str:
    """The target of a folder: its name, or the true one where rnagen had to change it."""
    summary = folder / "summary.json"
    if not summary.is_file():
        return folder.name
    return str(read_json(summary).get("name", folder.name))


def plain(name: str) -> str:
    """A name as programs change it in the names of their files: lower case, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
