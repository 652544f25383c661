"""The sets that a training reads: of a packed file, or of a dataset folder and a folder of splits."""

from dataclasses import replace
from pathlib import Path

from rnagen.data.filters import check_dates
from rnagen.data.packed import PackedData, load_packed
from rnagen.errors import InputError


def read_data(data: Path, splits: Path, cutoff: str, atoms: tuple[str, ...]) -> PackedData:
    """The sets of a packed file, or of a dataset folder and a folder of splits, past the date filter.

    Raises:
        InputError: data or splits cannot be read, lack an atom that is to be generated, or hold a training chain that
            must not train.
    """
    if data.is_file():
        packed = load_packed(data)
        check_dates(packed.train, cutoff, data)
        try:
            parts = (packed.train, packed.val, packed.synthetic)
            train, val, synthetic = (chains.select_atoms(atoms) for chains in parts)
            return replace(packed, train=train, val=val, synthetic=synthetic)
        except KeyError as error:
            raise InputError(data, None, f"was packed without the atom {error}") from None
    # Only where they are needed: a machine that trains from a packed file has neither pandas nor pyarrow.
    from rnagen.data.dataset import pack_dataset

    return pack_dataset(data, splits, cutoff, atoms)
