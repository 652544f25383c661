"""The chains of a prepared dataset folder and its splits, packed."""

from pathlib import Path

import pandas as pd

from rnagen.data.filters import check_dates
from rnagen.data.packed import PackedChains, PackedData, pack_chains
from rnagen.data.store import StructureStore
from rnagen.errors import InputError
from rnagen.features import Chain
from rnagen.structure import encode_sequence


def pack_dataset(folder: Path, splits: Path, cutoff: str, atoms: tuple[str, ...]) -> PackedData:
    """The chains of splits/train.csv, all of which pass the date gate, and of splits/val.csv, perhaps none; nothing
    synthetic.

    Raises:
        InputError: dataset or splits cannot be read, or a training chain must not train.
    """
    store = StructureStore.open(folder)
    train = pack_rows(store, split_rows(store, splits / "train.csv"), atoms)
    check_dates(train, cutoff, splits / "train.csv")
    val = pack_rows(store, split_rows(store, splits / "val.csv"), atoms)
    return PackedData(train, val, pack_chains([], atoms, [], [], [], [], []), store.fingerprint, str(folder))


def pack_rows(store: StructureStore, rows: list[int], atoms: tuple[str, ...]) -> PackedChains:
    """Chains of a dataset, reduced to `atoms`."""

    def column(name: str) -> list:
        return [store.value(row, name) for row in rows]

    chains = []
    for row in rows:
        structure = store.structure(row).select_atoms(atoms)
        chains.append(
            Chain(
                name=structure.name,
                bases=encode_sequence(structure.sequence),
                residue_index=structure.residue_index,
                coords=structure.coords,
                mask=structure.mask,
                pairs=store.sparse_base_pairs(row),
                pair_tables=store.pair_tables(row),
            )
        )
    facts = ("release_date", "benchmark", "cluster", "resolution", "contacts")
    return pack_chains(chains, atoms, *map(column, facts))


def split_rows(store: StructureStore, split: Path) -> list[int]:
    """Rows of the chains that a split names and the dataset holds, in the order of the split; perhaps none.

    Raises:
        InputError: the file is missing or no split.
    """
    try:
        ids = pd.read_csv(split, dtype=str, keep_default_na=False)["id"]
    except FileNotFoundError:
        raise InputError(split, None, "no such file; `rnagen prepare … --splits` writes it") from None
    except (KeyError, ValueError) as error:
        raise InputError(split, None, f"is no split (a table with a column id): {error}") from error
    known = set(store.index["id"])
    return [store.row(name) for name in ids if name in known]
