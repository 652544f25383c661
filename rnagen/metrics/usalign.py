"""TM-score with sequence-independent matching, by a US-align binary: the benchmark's first part.

Zhang, Shine, Pyle and Zhang, Nature Methods 19, 1109 (2022).
"""

import re
import shutil
import subprocess
from pathlib import Path

BINARY = "USalign"

_SCORE = re.compile(r"^TM-score=\s*([0-9.eE+-]+)", re.MULTILINE)


def usalign_tm(pred: Path, ref: Path) -> float:
    """TM-score of two structure files on C1' atoms, normalised by the length of `ref`.

    Raises:
        FileNotFoundError: `USalign` is not on the PATH.
        RuntimeError: it failed, or printed no two scores; the message holds its output.
    """
    binary = shutil.which(BINARY)
    if binary is None:
        raise FileNotFoundError(
            f"no {BINARY} on the PATH: sequence-independent TM-scores need it (https://zhanggroup.org/US-align)"
        )
    command = [binary, str(pred), str(ref), "-atom", " C1'"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    scores = _SCORE.findall(done.stdout)
    if done.returncode != 0 or len(scores) < 2:
        output = " ".join((done.stderr or done.stdout).split()) or "nothing"
        raise RuntimeError(f"{BINARY} {pred} {ref}: exit code {done.returncode}, no score; its output: {output}")
    # The first score is normalised by the prediction, the second by the native.
    return float(scores[1])
