"""What templates gain over the model alone, target by target: on all RNAs, and without those that are easy to find.

    python benchmarks/template_gain.py out/val --with out/val.json --without out/model.json

The first argument is the run with templates, whose summaries say what each RNA was built on; the two others are what
`rnagen evaluate --out` wrote of it and of the run with `--templates none`. Best of five, both TM-scores, with intervals
over the RNAs.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from rnagen.metrics import bootstrap_interval
from rnagen.sampling.claim import SUMMARY

TRNA = (60, 100)
"""nt, from and below: RNAs of the size of tRNA, of which the PDB has most."""
NEAR, HALF = 0.9, 0.5
"""Identity over so much of the target from which a template is a near twin."""
MODES = {"matched": "best5", "sequence-independent": "independent5"}


@dataclass
class Options:
    """Gain by templates."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run with templates."""
    with_templates: Annotated[Path, tyro.conf.arg(name="with")]
    """Its evaluation."""
    without: Path
    """Evaluation of the same RNAs by the model alone."""


def subsets() -> dict[str, Callable[[dict[str, Any], int], bool]]:
    """Which targets each row counts, by their templates and length."""

    def near(uses: Any) -> bool:
        return any(use["identity"] >= NEAR and use["coverage"] >= HALF for use in uses)

    return {
        "all": lambda uses, length: True,
        "with a template": lambda uses, length: bool(uses),
        "without one": lambda uses, length: not uses,
        "all but templates of RNAs of 60 to 99 nt": lambda uses, length: not (uses and TRNA[0] <= length < TRNA[1]),
        "all but near twins (90 % identical over half)": lambda uses, length: not near(uses),
    }


def run(options: Options) -> None:
    """Read, pair, print."""
    summaries = [json.loads(path.read_text()) for path in sorted(options.run.glob(f"*/{SUMMARY}"))]
    uses = {summary["name"]: summary.get("templates", []) for summary in summaries}
    one, other = (
        {target["target"]: target for target in json.loads(path.read_text())["targets"]}
        for path in (options.with_templates, options.without)
    )
    for mode, score in MODES.items():
        print(f"| {mode} | RNAs | model | with templates | gain |\n|---|---|---|---|---|")
        for title, counts in subsets().items():
            names = [name for name in one if counts(uses[name], one[name]["length"])]
            if not names:
                continue
            pairs = np.array([[other[name][score], one[name][score]] for name in names])
            gains = pairs[:, 1] - pairs[:, 0]
            low, high = bootstrap_interval(gains, 0)
            means = " | ".join(f"{mean:.3f}" for mean in pairs.mean(0))
            print(f"| {title} | {len(names)} | {means} | {gains.mean():+.3f} [{low:+.3f}, {high:+.3f}] |")


if __name__ == "__main__":
    run(tyro.cli(Options, description=__doc__))
