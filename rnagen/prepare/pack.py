"""Synthetic RNA, packed."""

from pathlib import Path

from rnagen.data.dataset import pack_rows
from rnagen.data.packed import PackedData
from rnagen.data.store import INDEX, StructureStore
from rnagen.prepare.synthetic import synthetic_dataset

SYNTHETIC_CHAINS = 512
SYNTHETIC_VALIDATION = 8
SYNTHETIC_SEED = 0


def pack_synthetic(folder: Path, atoms: tuple[str, ...]) -> PackedData:
    """The synthetic set, the same wherever it is made: what of it trains, does so from the first step on.

    Args:
        folder: that it was made in, or is made in now, which takes some 15 seconds and needs ViennaRNA.
        atoms: of the chains.

    Raises:
        OSError: the folder cannot be written.
    """
    make_synthetic(folder)
    store = StructureStore.open(folder)
    train, val = list(range(SYNTHETIC_CHAINS)), list(range(SYNTHETIC_CHAINS, len(store)))
    packed = pack_rows(store, train, atoms), pack_rows(store, val, atoms)
    return PackedData(*packed, packed[0], store.fingerprint, "synthetic A-form RNA")


def make_synthetic(folder: Path) -> None:
    """Make the synthetic set in a folder, unless it is there.

    Raises:
        OSError: the folder cannot be written.
    """
    # The index is written last.
    if not (folder / INDEX).is_file():
        synthetic_dataset(folder, SYNTHETIC_CHAINS + SYNTHETIC_VALIDATION, SYNTHETIC_SEED)
