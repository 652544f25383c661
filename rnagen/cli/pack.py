"""`rnagen pack`: a dataset folder and its splits -> one file, which is all that a training machine needs."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import tyro

from rnagen.cli.options import guarded, parse
from rnagen.config.structure import DataConfig, ModelConfig
from rnagen.data.packed import save_packed
from rnagen.errors import ConfigError

PROG = "rnagen pack"


@dataclass
class PackOptions:
    """Pack the training and validation chains of a dataset for `train.py --data FILE`, which then needs neither the
    dataset nor the libraries that read it.

    The date gate holds here and again when training starts.
    """

    data: Annotated[Path, tyro.conf.Positional] = DataConfig.data
    """Prepared dataset (`rnagen prepare`)."""
    out: Path = Path("train.safetensors")
    """File to write."""
    splits: Path = DataConfig.splits
    """Folder with train.csv and val.csv."""
    cutoff: str = DataConfig.cutoff
    """Date gate: a training chain released on or after this date is refused."""
    atoms: tuple[str, ...] = ModelConfig.atoms
    """Atoms taken along: those that models trained on the file may generate."""
    synthetic: bool = False
    """Take synthetic RNA along too, for --synthetic-steps."""


def main(arguments: Sequence[str]) -> int:
    """Parse, then pack."""
    return guarded(lambda: run(parse(PackOptions(), arguments, PROG)), PROG)


def run(options: PackOptions) -> int:
    """Pack as told; the exit code: 0 done, 2 nothing could be written.

    Raises:
        InputError: dataset or splits cannot be used, or a training chain must not train.
        ConfigError: the atoms lack the one that is scored.
    """
    if "C1'" not in options.atoms:
        raise ConfigError(f"atoms: {options.atoms!r} cannot be used: C1' is scored")
    from rnagen.data.dataset import pack_dataset
    from rnagen.prepare.pack import pack_synthetic

    packed = pack_dataset(options.data, options.splits, options.cutoff, options.atoms)
    if options.synthetic:
        with TemporaryDirectory() as folder:
            packed = replace(packed, synthetic=pack_synthetic(Path(folder), options.atoms).synthetic)
    try:
        save_packed(options.out, packed, options.cutoff)
    except OSError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 2
    size = options.out.stat().st_size / 1e6
    counts = f"{len(packed.train)} training and {len(packed.val)} validation chains"
    if options.synthetic:
        counts += f", {len(packed.synthetic)} synthetic ones"
    print(f"{options.out}: {counts}, {size:.1f} MB")
    return 0
