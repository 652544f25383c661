"""What `rnagen evaluate` reads: predictions, references, their dates, and the training cutoff of a checkpoint."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rnagen.checkpoints.structure import find_checkpoint
from rnagen.data.dataset import Dataset, is_dataset
from rnagen.dates import NO_DATE, parse_optional_date
from rnagen.errors import InputError
from rnagen.evaluation.layouts import find_conformers
from rnagen.evaluation.origins import RUN, SUBMISSION, origins_of, run_of
from rnagen.io.files import read_json
from rnagen.io.formats import (
    is_structure_file,
    left_out,
    sequences_beside,
    stem,
    structure_files,
    visible_files,
)
from rnagen.io.kaggle import read_sequences
from rnagen.io.labels import read_labels_table
from rnagen.io.read import read_structure_file
from rnagen.io.tables import read_table
from rnagen.structure import RNAStructure


@dataclass
class Loaded:
    """Structures by target, and what could not be used."""

    chains: dict[str, list[RNAStructure]] = field(default_factory=dict)
    """The RNA chains of each target, mostly one; their models are conformers."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why a target cannot be used."""
    notes: list[str] = field(default_factory=list)
    """What was left out or masked."""


def read_predictions(path: Path, wanted: Collection[str] = ()) -> Loaded:
    """Predicted ensembles by target: models are conformers, best first.

    Read is a table in the submission format, or a folder with `submission.csv`, or one with structure files as rnagen
    or another program writes them (see `rnagen.evaluation.layouts`), or as `wanted` names the targets.

    Raises:
        InputError: there is nothing of this, or the table cannot be read.
    """
    if not path.exists():
        raise InputError(path, None, "no such file or folder")
    table = path / SUBMISSION if path.is_dir() else path
    if is_structure_file(path) and path.is_file():
        return _read_files({stem(path): [path]})
    if table.is_file():
        return _from_table(table)
    found = find_conformers(path, wanted)
    if not found:
        raise InputError(path, None, f"no {SUBMISSION} and no structure file in it")
    loaded = _read_files(found)
    loaded.notes += filter(None, [left_out(file for file in visible_files(path) if not is_structure_file(file))])
    return loaded


def pair_files(predictions: Path, references: Path, predicted: Loaded, referenced: Loaded) -> Loaded:
    """The predictions; of two structure files, one against one, whatever they are called: under the native's name.

    Raises:
        InputError: one of the two files has no chain that can be used.
    """
    if not all(path.is_file() and is_structure_file(path) for path in (predictions, references)):
        return predicted
    for path, loaded in ((predictions, predicted), (references, referenced)):
        if not loaded.chains:
            raise InputError(path, None, next(iter(loaded.failures.values()), "no RNA chain in it"))
    (chains,), (name,) = predicted.chains.values(), referenced.chains
    return replace(predicted, chains={name: chains})


def read_references(path: Path, split: Path | None = None) -> Loaded:
    """Reference structures by target, with the dates that the source knows in `release_date`.

    Read is a table of labels (dates from the *_sequences.csv beside it), a dataset made by `rnagen prepare` (all of it,
    or the chains of `split`), a structure file, or a folder of them (the file's name is the target's).

    Raises:
        InputError: there is nothing of this, a table cannot be read, or a chain of the split is not in the dataset.
    """
    if not path.exists():
        raise InputError(path, None, "no such file or folder")
    if split is not None and not is_dataset(path):
        raise InputError(path, None, "a split needs a dataset made by `rnagen prepare` as the references")
    if is_dataset(path):
        return Loaded({name: [structure] for name, structure in _from_dataset(path, split).items()})
    if path.is_file():
        return _read_files({stem(path): [path]}) if is_structure_file(path) else _labels_with_dates(path)
    files = structure_files(path)
    if not files:
        raise InputError(path, None, "no structure file in it")
    by_name: dict[str, list[Path]] = {}
    for file in files:
        by_name.setdefault(stem(file), []).append(file)
    loaded = _read_files({name: found for name, found in by_name.items() if len(found) == 1})
    for name, found in by_name.items():
        if len(found) > 1:
            loaded.failures[name] = f"{found[0].name} and {found[1].name} have one name"
    loaded.notes += filter(None, [left_out(file for file in visible_files(path) if not is_structure_file(file))])
    return loaded


def read_dates(path: Path) -> dict[str, str]:
    """Dates by target from a table with a column `id` or `target_id`, and `release_date` or `temporal_cutoff`.

    Raises:
        InputError: other columns, or an invalid date.
    """
    table = read_table(path)
    key = next((name for name in ("id", "target_id") if name in table.column), None)
    column = next((name for name in ("release_date", "temporal_cutoff") if name in table.column), None)
    if key is None or column is None:
        raise InputError(path, None, "needs a column id (or target_id) and release_date (or temporal_cutoff)")
    names = ((table.cell(row, key), table.cell(row, column)) for row in table.rows)
    return {name: checked for name, date in names if (checked := checked_date(path, name, date))}


def read_cutoff(predictions: Path, checkpoint: Path | None) -> str:
    """Training cutoff (ISO date) of the checkpoint: from its JSON if given, else from the run.json of the run that made
    the predictions (`run_of`), else the latest of the sources of a submission (`origins_of`); empty where none has one.

    Raises:
        InputError: the file given cannot be read or has no cutoff, or the cutoff is not a date.
    """
    if checkpoint is not None:
        described = find_checkpoint(checkpoint).with_suffix(".json")
        cutoff = read_json(described).get("cutoff")
        if not cutoff:
            raise InputError(described, "cutoff", "missing")
        return checked_date(described, "cutoff", cutoff)
    folder = run_of(predictions)
    if folder is None:
        return origins_of(predictions).cutoff
    run = folder / RUN
    found = read_json(run)
    # Of version 0.1.0: one checkpoint.
    listed = found.get("checkpoints", [found.get("checkpoint")])
    cutoffs = [one.get("cutoff") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return max((checked_date(run, "checkpoints.cutoff", cutoff) for cutoff in cutoffs if cutoff), default="")


def checked_date(file: Path, record: str, value: Any) -> str:
    """A date as YYYY-MM-DD, empty where the value marks it as unknown.

    Raises:
        InputError: it is not a date.
    """
    try:
        return parse_optional_date(str(value))
    except ValueError as error:
        raise InputError(file, record, str(error)) from None


def _labels_with_dates(path: Path) -> Loaded:
    loaded = _from_table(path)
    sequences = sequences_beside(path)
    if sequences is None:
        return loaded
    for record in read_sequences(sequences):
        if record.name in loaded.chains:
            try:
                date = parse_optional_date(record.temporal_cutoff)
            except ValueError as error:
                loaded.failures[record.name] = f"temporal_cutoff in {sequences.name}: {error}"
                del loaded.chains[record.name]
                continue
            loaded.chains[record.name] = [replace(one, release_date=date) for one in loaded.chains[record.name]]
    return loaded


def _from_table(path: Path) -> Loaded:
    table = read_labels_table(path)
    loaded = Loaded(failures={error.record or "": error.reason for error in table.failures})
    for structure in table.structures:
        if structure.mask.any():
            loaded.chains[structure.name] = [structure]
        else:
            loaded.failures[structure.name] = "not predicted: all its coordinates are zero or missing"
    return loaded


def _from_dataset(folder: Path, split: Path | None) -> dict[str, RNAStructure]:
    chains = Dataset.open(folder).chains
    if split is None:
        return {name: chains.structure(row) for name, row in chains.rows.items()}
    table = read_table(split)
    table.require(("id",))
    found = {}
    for row in table.rows:
        name = table.cell(row, "id")
        # An RNA of several structures lists its chains: their models are its conformers.
        names = table.cell(row, "chains").split() if "chains" in table.column else [name]
        for chain in names:
            if chain not in chains.rows:
                raise InputError(split, chain, f"is not in the dataset {folder}")
        found[name] = _conformers(name, [chains.structure(chains.rows[chain]) for chain in names], split)
    if not found:
        raise InputError(split, None, "no chain in it")
    return found


def _conformers(name: str, structures: list[RNAStructure], split: Path) -> RNAStructure:
    """The structures of one RNA as one, of the date of the first that was released."""
    if len({structure.sequence for structure in structures}) != 1:
        raise InputError(split, name, "its chains have different sequences, or there are none")
    dates = [structure.release_date for structure in structures if structure.release_date != NO_DATE]
    (joined,) = _join([[structure] for structure in structures])
    return replace(joined, name=name, release_date=min(dates, default=NO_DATE))


def _read_files(files: dict[str, list[Path]]) -> Loaded:
    """A conformer that cannot be used leaves the others of its target."""
    loaded = Loaded()
    for target, conformers in files.items():
        opened: list[tuple[Path, list[RNAStructure]]] = []
        for file in conformers:
            try:
                found = read_structure_file(file)
                if not found.chains:
                    raise found.failures[0]
                if opened and _sequences(found.chains) != _sequences(opened[0][1]):
                    raise InputError(file, None, f"other chains than {opened[0][0].name}: conformers are of one RNA")
            except InputError as error:
                loaded.failures[target] = ": ".join(filter(None, (file.name, error.record, error.reason)))
                continue
            loaded.notes += [f"{file.name}: {note}" for note in found.notes]
            loaded.notes += [f"{file.name}: {error.record}: {error.reason}" for error in found.failures]
            opened.append((file, found.chains))
        if opened:
            loaded.chains[target] = _join([chains for _, chains in opened])
    return loaded


def _sequences(chains: list[RNAStructure]) -> list[str]:
    return [chain.sequence for chain in chains]


def _join(opened: list[list[RNAStructure]]) -> list[RNAStructure]:
    """The chains of several files of one target, the models of all as conformers."""
    return [
        replace(
            chain,
            coords=np.concatenate([chains[k].coords for chains in opened]),
            mask=np.concatenate([chains[k].mask for chains in opened]),
        )
        for k, chain in enumerate(opened[0])
    ]
