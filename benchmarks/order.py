"""What the first conformer of a validation RNA is worth in different orders, with templates, as `sample.py` draws them.

    python benchmarks/order.py --data data
    python benchmarks/order.py --ckpt base --data data

TM-score on C1' of the conformer that comes first: by number (templates first), by the confidence model, by the
predicted TM-score of the template or else the confidence model, by agreement with the others, and so on; beside a
random one and the best. What is sampled is saved RNA by RNA in `--out`; repeat an interrupted command to continue.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.progress import track
from validation import N, validation_chains

from rnagen.config.sampling import SamplingPlan, TemplateConfig
from rnagen.features import Chain
from rnagen.io.tables import read_table
from rnagen.io.target import Target
from rnagen.metrics import bootstrap_interval, tm_scores
from rnagen.preparation.splits import CUTOFF
from rnagen.sampling.ensemble import Models, draw_ensemble
from rnagen.sampling.ranking import agreement
from rnagen.structure import BASES

RESULTS = Path(__file__).parent / "results"


@dataclass
class Options:
    """What to compare."""

    data: Path = Path("data")
    """Prepared dataset with the validation chains."""
    splits: Path = Path("splits")
    """Folder with val.csv."""
    ckpt: Path = Path("small")
    """Weights."""
    max_length: int = 260
    """Residues of the longest chain that is scored."""
    out: Path | None = None
    """Where the rows are saved; by default benchmarks/results/order_CKPT.json."""


def run(options: Options) -> None:
    """Sample what is not saved yet, print the table."""
    out = options.out or RESULTS / f"order_{options.ckpt.stem}.json"
    models = Models.load(options.ckpt, None, "cpu", TemplateConfig(template_date=CUTOFF))
    chains = validation_chains(options.data, options.splits, models.structure.config.model.atoms, options.max_length)
    table = read_table(options.splits / "val.csv")
    dates = {table.cell(row, "id"): table.cell(row, "release_date") for row in table.rows}
    saved: dict[str, dict[str, Any]] = json.loads(out.read_text()) if out.is_file() else {}
    for chain in track([one for one in chains if one.name not in saved], description="sampling", transient=True):
        saved[chain.name] = measure(models, chain, dates[chain.name])
        out.write_text(json.dumps(saved) + "\n")
    show(list(saved.values()))


def measure(models: Models, chain: Chain, date: str) -> dict[str, Any]:
    """Of each conformer, in the order of the numbers: its TM-score, and what an order can know of it."""
    sequence = "".join(BASES[base] for base in chain.bases)
    ensemble = draw_ensemble(models, Target(chain.name, sequence, release_date=date), SamplingPlan(N))
    column = ensemble.structure.atoms.index("C1'")
    true, mask = torch.from_numpy(chain.coords[:, :, column]), torch.from_numpy(chain.mask[:, :, column])
    scores = tm_scores(torch.from_numpy(ensemble.to_numpy("C1'")), true, mask).amax(1)
    head = None if ensemble.confidence is None else ensemble.confidence.tm
    return {
        "tm": _rounded(scores.tolist()),
        "head": None if head is None else _rounded(head.tolist()),
        "template": [round(use.predicted_tm, 4) for use in ensemble.templates if use is not None],
        "agree": _rounded(agreement(ensemble).tolist()),
    }


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 4) for value in values]


def template_tm(row: dict[str, Any]) -> np.ndarray:
    """Predicted for each conformer from its template; NaN for those of the model alone."""
    return np.array(row["template"] + [np.nan] * (len(row["tm"]) - len(row["template"])))


def orders(has_head: bool) -> dict[str, Callable[[dict[str, Any]], np.ndarray]]:
    """What each order sorts by, the largest first."""
    found: dict[str, Callable[[dict[str, Any]], np.ndarray]] = {
        "number, templates first": lambda row: -np.arange(len(row["tm"])),
        "agreement": lambda row: np.array(row["agree"]),
        "template, or agreement where higher": lambda row: np.fmax(template_tm(row), row["agree"]),
    }
    if has_head:
        found["confidence model"] = lambda row: np.array(row["head"])
        found["template, else confidence model"] = lambda row: np.where(
            np.isnan(template_tm(row)), row["head"], template_tm(row)
        )
        found["mean of template and confidence model"] = lambda row: np.nanmean([row["head"], template_tm(row)], 0)
    return found


def show(rows: list[dict[str, Any]]) -> None:
    """The orders as a table, and how well both predictions do."""
    first = np.array([row["tm"][0] for row in rows])
    found = {
        name: np.array([row["tm"][int(np.argmax(order(row)))] for row in rows])
        for name, order in orders(rows[0]["head"] is not None).items()
    }
    found["a random one"] = np.array([np.mean(row["tm"]) for row in rows])
    found["the best of five"] = np.array([max(row["tm"]) for row in rows])
    print("| order | TM-score of the first | gain over templates first [95 %] |\n|---|---|---|")
    for name, values in found.items():
        low, high = bootstrap_interval(values - first, 0)
        print(f"| {name} | {values.mean():.3f} | {(values - first).mean():+.3f} [{low:+.3f}, {high:+.3f}] |")
    print(f"{len(rows)} RNAs, {sum(bool(row['template']) for row in rows)} of them with templates")
    on = [(true, *both) for row in rows for true, *both in zip(row["tm"], row["template"], row["head"] or row["tm"])]
    true, template, head = np.array(on).T
    errors = [f"from the template {np.sqrt(np.square(true - template).mean()):.3f}"]
    if rows[0]["head"] is not None:
        errors.append(f"by the confidence model {np.sqrt(np.square(true - head).mean()):.3f}")
    print(f"error (root mean square) of the TM-score of {len(on)} conformers on templates: {', '.join(errors)}")


if __name__ == "__main__":
    run(tyro.cli(Options))
