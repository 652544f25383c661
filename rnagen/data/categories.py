"""Labels of chains: a column of the tables that list the splits, and the categories in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rnagen.config.categories import category_number
from rnagen.errors import InputError
from rnagen.io.tables import read_table
from rnagen.structure import NO_LABEL


@dataclass(frozen=True)
class Labels:
    """The categories that a model knows, and the label of each chain that has one."""

    categories: tuple[str, ...]
    of_chain: dict[str, str]

    def numbers(self, names: Sequence[str]) -> list[int]:
        """Number of the category of each chain (see `category_number`); `NO_LABEL` for a chain without a label, or with
        one that the model does not know."""
        labels = [self.of_chain.get(name) for name in names]
        return [category_number(one, self.categories) if one in self.categories else NO_LABEL for one in labels]

    def unknown(self, names: Sequence[str]) -> Counter[str]:
        """Labels of these chains that the model does not know, and how many chains have each."""
        labels = (self.of_chain[name] for name in names if name in self.of_chain)
        return Counter(label for label in labels if label not in self.categories)


def read_labels(folder: Path, column: str, training: Sequence[str], categories: tuple[str, ...] = ()) -> Labels:
    """The labels in a column of train.csv and val.csv, found by the column id. A dataset that carries its own splits
    needs these tables for its labels alone.

    Args:
        folder: of the tables.
        column: its name; an empty cell means none.
        training: names of the chains that train.
        categories: that the model knows; by default all labels of the chains that train, in alphabetical order.

    Raises:
        InputError: a table cannot be read or lacks a column, or no chain that trains has a label.
    """
    of_chain: dict[str, str] = {}
    for name in ("val", "train"):
        table = read_table(folder / f"{name}.csv")
        table.require(("id", column))
        cells = {table.cell(row, "id"): table.cell(row, column) for row in table.rows}
        of_chain |= {chain: label for chain, label in cells.items() if label}
    known = categories or tuple(sorted({of_chain[name] for name in training if name in of_chain}))
    if not any(of_chain.get(name) in known for name in training):
        raise InputError(
            folder / "train.csv", column, "no chain that trains has a label in this column that the model knows"
        )
    return Labels(known, of_chain)
