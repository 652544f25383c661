"""Training loads neither ViennaRNA nor gemmi: base pairs and coordinates come from the prepared dataset."""

import subprocess
import sys


def test_a_run_imports_no_folding_and_no_file_formats() -> None:
    """Pandas and pyarrow read the index of the dataset; lightning and torchmetrics import what they like."""
    script = (
        "import sys, rnagen.training.run\n"
        "print(*sorted({'RNA', 'gemmi', 'rapidfuzz', 'multimolecule', 'rnagen.sampling'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["rnagen.sampling"]
