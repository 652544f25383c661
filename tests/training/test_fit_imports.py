"""Training from a dataset needs torch, lightning, numpy, einops, safetensors, jaxtyping and tyro, and what these
need: no other library is even installed here."""

import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from rnagen.data.chains import ChainInfo
from rnagen.data.dataset import write_dataset
from rnagen.structure import BEADS
from tests.helpers.tiny import TINY_FLAGS, make_chain

ROOT = Path(__file__).parents[2]
ALLOWED = ("torch", "lightning", "numpy", "einops", "safetensors", "jaxtyping", "tyro")
UNWANTED = ("pandas", "pyarrow", "gemmi", "RNA", "rapidfuzz", "scipy", "torchdiffeq", "wandb", "matplotlib", "psutil")


def required(names: tuple[str, ...]) -> list[Distribution]:
    """The distributions and all that they require without extras, where it is installed."""
    waiting, found = list(names), {}
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # of another platform
        needs = [line for line in found[name].requires or [] if "extra ==" not in line]
        waiting += [re.match(r"[\w.-]+", line).group() for line in needs]  # type: ignore[union-attr]
        # Lightning asks fsspec for http, and imports it.
        waiting += ["aiohttp"] if name == "fsspec" else []
    return list(found.values())


def bare_machine(folder: Path) -> Path:
    """A folder of packages with links to what is required, and nothing else."""
    folder.mkdir()
    for one in required(ALLOWED):
        for path in {Path(file).parts[0] for file in one.files or [] if not str(file).startswith("..")}:
            if path not in ("__pycache__",) and not (folder / path).exists():
                (folder / path).symlink_to(Path(str(one.locate_file(path))))
    (folder / "rnagen").symlink_to(ROOT / "rnagen")
    return folder


def test_a_bare_machine_trains_from_a_file(tmp_path: Path) -> None:
    splits = ("train", "train", "train", "val", "synthetic")
    infos = [
        ChainInfo(f"c{k}", f"c{k}", split=split, release_date="2001-01-01", cluster=k) for k, split in enumerate(splits)
    ]
    chains = [make_chain(n, seed=n) for n in (40, 30, 50, 30, 26)]
    write_dataset(tmp_path / "beads.safetensors", BEADS, infos, chains, "")
    script = (
        "import sys\nfrom rnagen.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        f"print('imported:', *({set(UNWANTED)} & set(sys.modules)))\nsys.exit(code)"
    )
    flags = ["train", "--data", "beads.safetensors", *TINY_FLAGS, "--epochs", "1", "--train-batches", "2"]
    flags += ["--synthetic-steps", "1"]
    site = bare_machine(tmp_path / "site")
    assert not any((site / name).exists() for name in UNWANTED)
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, *flags, "--val-repeat", "2"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "imported:\n" in done.stdout
    assert (tmp_path / "runs" / "run" / "best.safetensors").is_file()
