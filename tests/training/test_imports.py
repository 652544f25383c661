"""Training from a packed file needs torch, lightning, numpy, einops, safetensors, jaxtyping and tyro, and what these
need: no other library is even installed here."""

import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from rnagen.data.packed import PackedData, save_packed
from tests.helpers.tiny import TINY_FLAGS, make_chain, packed

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


def test_a_bare_machine_trains_from_a_packed_file(tmp_path: Path) -> None:
    chains = packed([make_chain(n, seed=n) for n in (40, 30, 50)])
    object.__setattr__(chains, "release_dates", ("2001-01-01",) * 3)
    save_packed(
        tmp_path / "train.safetensors",
        PackedData(chains, packed([make_chain(30)]), packed([make_chain(26)]), "abc", "made"),
        "",
    )
    script = (
        "import sys\nfrom rnagen.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        f"print('imported:', *({set(UNWANTED)} & set(sys.modules)))\nsys.exit(code)"
    )
    flags = ["train", "--data", "train.safetensors", *TINY_FLAGS, "--epochs", "1", "--train-batches", "2"]
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
