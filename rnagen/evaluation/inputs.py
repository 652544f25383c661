"""What `rnagen evaluate` reads: predictions, references, their dates, and the training cutoff of a checkpoint."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rnagen.checkpoints.structure import find_checkpoint
from rnagen.data.dataset import Dataset, is_dataset
from rnagen.dates import parse_optional_date
from rnagen.errors import InputError
from rnagen.io.files import read_text
from rnagen.io.formats import stem
from rnagen.io.kaggle import read_sequences
from rnagen.io.labels import read_labels
from rnagen.io.read import read_structures
from rnagen.structure import RNAStructure

SUBMISSION = "submission.csv"
RUN = "run.json"
STRUCTURE_SUFFIXES = (".cif", ".pdb", ".ent", ".cif.gz", ".pdb.gz", ".ent.gz")

_CONFORMER = re.compile(r"conformer_(\d+)")


def read_predictions(path: Path) -> dict[str, RNAStructure]:
    """Predicted ensembles by target: models are conformers, in their order.

    Read is a table in the submission format, or a folder with (the first of these that it has) `submission.csv`,
    a folder `<target>` of files `conformer_<k>` for each target, or a file `<target>` with its conformers as models.

    Raises:
        InputError: there is nothing of this, a file cannot be read, or the files of a target do not fit together.
    """
    if not path.exists():
        raise InputError(path, None, "no such file or folder")
    if path.is_file():
        return _by_name(path, read_labels(path))
    if (path / SUBMISSION).is_file():
        return _by_name(path / SUBMISSION, read_labels(path / SUBMISSION))
    folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and _conformer_files(folder)]
    if folders:
        return {folder.name: _join_conformers(folder) for folder in folders}
    files = _structure_files(path)
    if not files:
        raise InputError(path, None, f"no {SUBMISSION}, no folder with conformer_1 and no structure file in it")
    return {stem(file): _only_chain(file) for file in files}


def read_references(path: Path, split: Path | None) -> dict[str, RNAStructure]:
    """Reference structures by target, with the dates that the source knows in `release_date`.

    Read is a table of labels (dates from the *_sequences.csv beside it), a dataset made by `rnagen prepare` (all of it,
    or the chains of `split`), or a folder of structure files (the file's name is the target's where it holds one
    chain).

    Raises:
        InputError: there is nothing of this, a file cannot be read, or a chain of the split is not in the dataset.
    """
    if not path.exists():
        raise InputError(path, None, "no such file or folder")
    if split is not None and not is_dataset(path):
        raise InputError(path, None, "a split needs a dataset made by `rnagen prepare` as the references")
    if is_dataset(path):
        return _from_dataset(path, split)
    if path.is_file():
        return _labels_with_dates(path)
    found: list[RNAStructure] = []
    for file in _structure_files(path):
        chains = read_structures(file)
        found += [replace(chains[0], name=stem(file))] if len(chains) == 1 else chains
    if not found:
        raise InputError(path, None, "no structure file in it")
    return _by_name(path, found)


def read_dates(path: Path) -> dict[str, str]:
    """Dates by target from a table with a column `id` or `target_id`, and `release_date` or `temporal_cutoff`.

    Raises:
        InputError: other columns, or an invalid date.
    """
    table = csv.DictReader(read_text(path).splitlines())
    names = list(table.fieldnames or [])
    key = next((name for name in ("id", "target_id") if name in names), None)
    column = next((name for name in ("release_date", "temporal_cutoff") if name in names), None)
    if key is None or column is None:
        raise InputError(path, None, "needs a column id (or target_id) and release_date (or temporal_cutoff)")
    return {row[key]: checked_date(path, row[key], row[column]) for row in table if row[column]}


def read_cutoff(predictions: Path, checkpoint: Path | None) -> str:
    """Training cutoff (ISO date) of the checkpoint: from its JSON if given, else from the run.json beside the
    predictions; empty where neither has one.

    Raises:
        InputError: the file given cannot be read or has no cutoff, or the cutoff is not a date.
    """
    if checkpoint is not None:
        described = find_checkpoint(checkpoint).with_suffix(".json")
        cutoff = _read_json(described).get("cutoff")
        if not cutoff:
            raise InputError(described, "cutoff", "missing")
        return checked_date(described, "cutoff", cutoff)
    run = (predictions if predictions.is_dir() else predictions.parent) / RUN
    if not run.is_file():
        return ""
    described_checkpoint = _read_json(run).get("checkpoint")
    cutoff = described_checkpoint.get("cutoff") if isinstance(described_checkpoint, dict) else None
    return checked_date(run, "checkpoint.cutoff", cutoff) if cutoff else ""


def checked_date(file: Path, record: str, value: Any) -> str:
    """A date as YYYY-MM-DD, empty where the value says that there is none.

    Raises:
        InputError: it is not a date.
    """
    try:
        return parse_optional_date(str(value))
    except ValueError as error:
        raise InputError(file, record, str(error)) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(path, None, f"cannot be parsed as JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(path, None, "must hold a JSON object")
    return found


def _labels_with_dates(path: Path) -> dict[str, RNAStructure]:
    found = _by_name(path, read_labels(path))
    sequences = path.with_name(path.name.replace("labels", "sequences"))
    if sequences == path or not sequences.is_file():
        return found
    dates = {record.name: record.temporal_cutoff for record in read_sequences(sequences) if record.temporal_cutoff}
    return {
        name: replace(structure, release_date=checked_date(sequences, name, dates[name]))
        if name in dates
        else structure
        for name, structure in found.items()
    }


def _from_dataset(folder: Path, split: Path | None) -> dict[str, RNAStructure]:
    chains = Dataset.open(folder).chains
    if split is None:
        return {name: chains.structure(row) for name, row in chains.rows.items()}
    table = csv.DictReader(read_text(split).splitlines())
    if "id" not in (table.fieldnames or []):
        raise InputError(split, None, "no column id")
    found = {}
    for entry in table:
        try:
            found[entry["id"]] = chains.structure(chains.rows[entry["id"]])
        except KeyError:
            raise InputError(split, entry["id"], f"is not in the dataset {folder}") from None
    if not found:
        raise InputError(split, None, "no chain in it")
    return found


def _structure_files(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.iterdir()) if file.is_file() and file.name.endswith(STRUCTURE_SUFFIXES)]


def _conformer_files(folder: Path) -> list[Path]:
    """Files `conformer_<k>` by their number."""
    numbered = [(match, file) for file in _structure_files(folder) if (match := _CONFORMER.match(file.name))]
    return [file for _, file in sorted((int(match[1]), file) for match, file in numbered)]


def _join_conformers(folder: Path) -> RNAStructure:
    chains = [_only_chain(file) for file in _conformer_files(folder)]
    for chain in chains[1:]:
        if chain.sequence != chains[0].sequence:
            raise InputError(folder, None, "conformers of different sequences")
    return replace(
        chains[0],
        coords=np.concatenate([chain.coords for chain in chains]),
        mask=np.concatenate([chain.mask for chain in chains]),
    )


def _only_chain(file: Path) -> RNAStructure:
    chains = read_structures(file)
    if len(chains) > 1:
        raise InputError(file, None, f"{len(chains)} RNA chains; a prediction is one")
    return chains[0]


def _by_name(path: Path, structures: list[RNAStructure]) -> dict[str, RNAStructure]:
    found: dict[str, RNAStructure] = {}
    for structure in structures:
        if structure.name in found:
            raise InputError(path, structure.name, "is there twice")
        found[structure.name] = structure
    return found
