"""The file of a dataset, read and written: safetensors, with what is known about each chain as JSON in its metadata.

A dataset folder (`rnagen prepare --out`) holds one, `chains.safetensors`, and tables list its splits. A file that
carries its own splits (`--beads`) needs no table. Reading maps the file: torch, numpy and safetensors are enough, and
a chain is read when it is used.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from rnagen.data.chains import TENSORS, ChainInfo, Chains, flat_arrays
from rnagen.data.filters import check_dates, why_in_no_split
from rnagen.errors import InputError
from rnagen.features import Chain
from rnagen.io.files import atomic_write, parse_json
from rnagen.io.tables import read_table
from rnagen.secondary.pairs import MINIMUM_PROBABILITY
from rnagen.structure import PAIR_FEATURES
from rnagen.version import __version__

FORMAT = 3
FILE = "chains.safetensors"
"""Name of the file in a dataset folder."""
FORMER = ("manifest.json", "index.parquet")
"""Files of dataset folders of former formats."""
SPLITS = ("train", "val", "synthetic")


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk."""

    path: Path
    """Folder or file, as given."""
    chains: Chains
    """Mapped from the file."""
    fingerprint: str
    """SHA-256 of the contents of the prepared dataset: equal for equal data, whatever the place or time. A file of some
    of its chains or atoms has the same."""
    viennarna: str
    """Version that made its base pairs."""

    @classmethod
    def open(cls, path: Path) -> "Dataset":
        """Open a dataset folder or file.

        Raises:
            InputError: it is missing, damaged or of another format; the message names it and what to do.
        """
        file = path / FILE if path.is_dir() else path
        if not file.is_file():
            if any((path / name).is_file() for name in FORMER):
                raise InputError(path, None, f"is a dataset of a former format; {_AGAIN}")
            reason = f"has no {FILE}; run `rnagen prepare`" if path.is_dir() else "no such dataset"
            raise InputError(path, None, reason)
        try:
            with safe_open(file, "pt") as opened:
                described = parse_json((opened.metadata() or {})["rnagen"], file)
                if described["format"] != FORMAT:
                    reason = f"has format {described['format']!r}, but this version reads {FORMAT}; {_AGAIN}"
                    raise InputError(file, None, reason)
                infos = tuple(ChainInfo(*row) for row in zip(*(described["chains"][name] for name in _COLUMNS)))
                tensors = {name: opened.get_tensor(name) for name in TENSORS}
            chains = Chains(tuple(described["atoms"]), infos, **tensors)
        except (SafetensorError, OSError) as error:
            raise InputError(file, None, f"cannot be read as safetensors (truncated?): {error}") from error
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise InputError(file, None, f"was not made by `rnagen prepare`: {error!r}") from error
        _check(chains, file)
        return cls(path, chains, str(described["fingerprint"]), str(described["viennarna"]))

    def split(self, name: str, folder: Path) -> list[int]:
        """Rows of the chains of a split (of `SPLITS`), in its order: those of the file where it carries splits, else
        those that the table `folder`/`name`.csv lists and the dataset holds. Perhaps none.

        Raises:
            InputError: the table is needed, and missing or not a split.
        """
        if self.has_splits:
            return [row for row, info in enumerate(self.chains.infos) if info.split == name]
        table = folder / f"{name}.csv"
        try:
            listed = read_table(table)
            listed.require(("id",))
        except InputError as error:
            if not table.is_file():
                raise InputError(
                    table, None, "no such file; `rnagen prepare … --splits` writes it, --splits names its folder"
                ) from None
            raise InputError(table, None, f"is not a split (a table with a column id): {error.reason}") from None
        names = [listed.cell(row, "id") for row in listed.rows]
        return [self.chains.rows[name] for name in names if name in self.chains.rows]

    @property
    def has_synthetic(self) -> bool:
        """Whether the file holds synthetic RNA for the first steps of a training."""
        return any(info.split == "synthetic" for info in self.chains.infos)

    @property
    def has_splits(self) -> bool:
        """Whether the file carries its own splits."""
        return any(info.split for info in self.chains.infos)


@dataclass(frozen=True)
class TrainingData:
    """A training and a validation set in memory, and where they come from."""

    train: Chains
    val: Chains
    synthetic: Chains
    """Synthetic RNA to begin with; perhaps none."""
    fingerprint: str
    """Of the dataset."""
    source: str
    """Its name, for messages and provenance."""
    in_no_split: Counter[str] = field(default_factory=Counter)
    """Its chains that are in no split, by reason."""


def read_data(data: Path, splits: Path, cutoff: str, atoms: tuple[str, ...]) -> TrainingData:
    """The sets of a dataset, past the date filter.

    Args:
        data: dataset folder or file.
        splits: folder with train.csv and val.csv, for a dataset without its own splits.
        cutoff: ISO date; no chain released on or after it trains.
        atoms: of the chains.

    Raises:
        InputError: data or splits cannot be read, lack an atom, or hold a training chain that must not train.
    """
    dataset = Dataset.open(data)
    sets = read_sets(dataset, splits, atoms)
    check_dates(sets.train, cutoff, data if dataset.has_splits else splits / "train.csv")
    used = {*sets.train.names, *sets.val.names, *sets.synthetic.names}
    others = (row for name, row in dataset.chains.rows.items() if name not in used)
    return replace(sets, in_no_split=why_in_no_split(dataset.chains, others, cutoff))


def read_sets(dataset: Dataset, splits: Path, atoms: tuple[str, ...]) -> TrainingData:
    """The sets of a dataset, whatever their dates: see `read_data`."""
    names = SPLITS if dataset.has_splits else SPLITS[:2]
    rows = {name: dataset.split(name, splits) for name in names}
    try:
        sets = {name: dataset.chains.select(rows.get(name, []), atoms) for name in SPLITS}
    except KeyError as error:
        raise InputError(dataset.path, None, f"does not hold the atom {error}") from None
    return TrainingData(
        sets["train"], sets["val"], sets["synthetic"], fingerprint=dataset.fingerprint, source=str(dataset.path)
    )


def is_dataset(path: Path) -> bool:
    """Whether a path is that of a dataset, of this format or a former one."""
    return path.suffix == ".safetensors" or any((path / name).is_file() for name in (FILE, *FORMER))


def write_dataset(
    path: Path,
    atoms: tuple[str, ...],
    infos: Sequence[ChainInfo],
    chains: Iterable[Chain],
    viennarna: str,
    fingerprint: str = "",
) -> str:
    """Write a dataset file, whole or not at all, and return its fingerprint.

    Coordinates go to the file chain by chain; everything else, about a tenth, is held in memory until the end. The
    bytes depend on the contents alone.

    Args:
        path: file to write.
        atoms: of the chains.
        infos: of each chain.
        chains: their arrays, in the same order.
        viennarna: version of ViennaRNA that made the base pairs.
        fingerprint: of the dataset that the chains were selected from; by default the contents are hashed.

    Raises:
        OSError: the folder cannot be written or the disk is full.
        ValueError: a chain has other atoms or channels.
    """
    columns = {name: [getattr(info, name) for info in infos] for name in _COLUMNS}
    described = {"format": FORMAT, "rnagen": __version__, "viennarna": viennarna, "atoms": atoms}
    described |= {"minimum_probability": MINIMUM_PROBABILITY, "fingerprint": "0" * 64, "chains": columns}
    # The numbers of rows are known at the end only: room for the longest.
    room = len(_header(dict.fromkeys(_LAYOUT, 10**12), described))
    room += -room % 8
    digest = hashlib.sha256()
    rest: dict[str, list[np.ndarray]] = {name: [] for name in _LAYOUT if name != "coords"}
    rows = dict.fromkeys(_LAYOUT, 0)
    with atomic_write(path) as file:
        file.seek(8 + room)
        for info, chain in zip(infos, chains, strict=True):
            digest.update(json.dumps(asdict(info)).encode())
            for name, array in flat_arrays(chain).items():
                content = np.ascontiguousarray(array, dtype=_LAYOUT[name][1])
                if content.shape[1:] != _width(name, atoms):
                    raise ValueError(f"{info.name}: {name} of shape {content.shape} do not fit the dataset")
                digest.update(content.data)
                rows[name] += len(content)
                if name == "coords":
                    file.write(content.data)
                else:
                    rest[name].append(content)
        for contents in rest.values():
            for content in contents:
                file.write(content.data)
        described["fingerprint"] = fingerprint or digest.hexdigest()
        file.seek(0)
        file.write(room.to_bytes(8, "little") + _header(rows, described).ljust(room))
    return str(described["fingerprint"])


_AGAIN = "make it again with `rnagen prepare INPUTS --out FOLDER`"
_COLUMNS = tuple(item.name for item in fields(ChainInfo))
_LAYOUT: dict[str, tuple[str, np.dtype[Any]]] = {
    "coords": ("F32", np.dtype("<f4")),
    "pair_probabilities": ("F32", np.dtype("<f4")),
    "residue_index": ("I32", np.dtype("<i4")),
    "lengths": ("I32", np.dtype("<i4")),
    "num_models": ("I32", np.dtype("<i4")),
    "pair_counts": ("I32", np.dtype("<i4")),
    "pair_features": ("F16", np.dtype("<f2")),
    "pairs": ("I16", np.dtype("<i2")),
    "pair_tables": ("I16", np.dtype("<i2")),
    "bases": ("U8", np.dtype("u1")),
    "mask": ("BOOL", np.dtype("?")),
}
"""Types of the tensors in the order of the file: wider ones first, so that each is aligned."""


def _header(rows: dict[str, int], described: dict[str, Any]) -> bytes:
    """Header of a safetensors file (https://huggingface.co/docs/safetensors): types, shapes and places of the tensors,
    and the metadata."""
    header: dict[str, Any] = {"__metadata__": {"rnagen": json.dumps(described)}}
    start = 0
    for name, (kind, dtype) in _LAYOUT.items():
        shape = (rows[name], *_width(name, described["atoms"]))
        end = start + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": (start, end)}
        start = end
    return json.dumps(header).encode()


def _width(name: str, atoms: Sequence[str]) -> tuple[int, ...]:
    """Shape of a row of a tensor."""
    if name in ("coords", "mask"):
        return (len(atoms), 3) if name == "coords" else (len(atoms),)
    return {"pairs": (2,), "pair_tables": (2,), "pair_features": (len(PAIR_FEATURES),)}.get(name, ())


def _check(chains: Chains, file: Path) -> None:
    """Raise where the tensors do not fit together."""
    residues, models = int(chains.lengths.sum()), int((chains.lengths.long() * chains.num_models).sum())
    rows = dict.fromkeys(("lengths", "num_models", "pair_counts"), len(chains))
    rows |= dict.fromkeys(("bases", "residue_index", "pair_tables"), residues)
    rows |= dict.fromkeys(("coords", "mask"), models)
    rows |= dict.fromkeys(("pairs", "pair_probabilities", "pair_features"), int(chains.pair_counts.sum()))
    for name, expected in rows.items():
        if len(getattr(chains, name)) != expected:
            raise InputError(file, name, f"{len(getattr(chains, name))} rows, but the chains have {expected}")
