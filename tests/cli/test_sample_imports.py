"""What a plain `sample.py` does not wait for; the time itself is in benchmarks/startup.py."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNUSED = (
    *("lightning", "pytorch_lightning", "torchmetrics", "wandb", "tensorboard", "matplotlib", "pandas", "pyarrow"),
    *(
        "scipy",
        "rapidfuzz",
        "torchdiffeq",
        "sympy",
        "torch._dynamo",
        "torch._inductor",
        "rich",
        "py3Dmol",
    ),
)
"""Packages of training, figures and other commands; torch's compiler takes as long to import as the rest of it."""


def test_a_plain_sample_imports_what_it_needs(tmp_path: Path) -> None:
    """With the shipped weights, templates and the page, as it is typed."""
    script = (
        "import gc, sys; from rnagen.cli.main import main\n"
        "code = main(['sample', *sys.argv[1:]])\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 100_000\n"
        "print('imported:', *sorted(sys.modules))\n"
        "sys.exit(code)"
    )
    command = ["--sequence", "GGGGCUUCGGCCCC", "--n", "4", "--steps", "2", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--cache", str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "report.html").is_file()
    imported = set(done.stdout.rpartition("imported: ")[2].split())
    assert {"torch", "RNA", "rnagen.sampling.run"} <= imported
    assert imported.isdisjoint(UNUSED), sorted(imported.intersection(UNUSED))
