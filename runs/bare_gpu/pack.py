"""All that a training reads in one file, to be carried to a machine without a network.

python runs/bare_gpu/pack.py COMPACT.xz PACK.tar --variants FILE --references FILE --weights FILE
"""

import argparse
import lzma
import shutil
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

DATA = "data.xz"
PARTS = ("variants", "references", "weights")


def pack(path: Path, data: Path, parts: dict[str, Path | None]) -> None:
    """Write the file: the dataset, and compressed what else is given."""
    with TemporaryDirectory() as folder, tarfile.open(path, "w") as packed:
        packed.add(data, DATA)
        for name, part in parts.items():
            if part is not None:
                smaller = Path(folder) / f"{name}.xz"
                with part.open("rb") as source, lzma.open(smaller, "wb", preset=4) as target:
                    shutil.copyfileobj(source, target)
                packed.add(smaller, smaller.name)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


def unpack(path: Path, folder: Path) -> dict[str, Path]:
    """Where the dataset (`data`) and each other part is then."""
    found = {}
    with tarfile.open(path) as packed:
        packed.extractall(folder, filter="data")
    for name in PARTS:
        if (folder / f"{name}.xz").is_file():
            found[name] = folder / f"{name}.safetensors"
            with lzma.open(folder / f"{name}.xz") as source, found[name].open("wb") as target:
                shutil.copyfileobj(source, target)
    return {"data": folder / DATA, **found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="file of compact.py")
    parser.add_argument("out", type=Path)
    for part in PARTS:
        parser.add_argument(f"--{part}", type=Path)
    options = parser.parse_args()
    pack(options.out, options.data, {part: getattr(options, part) for part in PARTS})
