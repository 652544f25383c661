"""The result of an evaluation: as JSON, as CSV, as a table to look at."""

import csv
import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rnagen.errors import InputError
from rnagen.evaluation.scores import CUTOFF_UNKNOWN, Summary, TargetScore
from rnagen.evaluation.spread import Spread
from rnagen.io.files import write_text
from rnagen.messages import number_of
from rnagen.metrics.statistics import FEWEST

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = {
    "best1": "best of 1",
    "best5": "best of 5",
    "independent1": "indep. 1",
    "independent5": "indep. 5",
    "most_likely": "likeliest",
    "rank_correlation": "rank corr.",
    "one_minus_tm": "1 − TM",
    "lddt": "lDDT",
    "rmsd": "RMSD",
    "inf": "INF",
    "helix": "helix",
    "random_walk": "walk",
    "stems": "stems",
    "templates": "templates",
}
"""Columns of the table, by the name of the score; those that it has no room for are in the files alone."""
SPREAD_HEADINGS = {
    "rmsf_spearman": "RMSF ρ",
    "rmsf_pearson": "r",
    "pooled_spearman": "ρ pooled",
    "pooled_pearson": "r pooled",
    "rmsf_sampled": "RMSF",
    "rmsf_reference": "of refs",
    "cov_r_4": "COV-R 4 Å",
    "amr_r": "AMR-R",
    "cov_p_4": "COV-P 4 Å",
    "amr_p": "AMR-P",
    "wasserstein": "W₁",
    "both_states": "both states",
}
"""Columns of the table of `--ensemble`."""
DIGITS = {"rmsd": 1}
"""Of a column; else three."""


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Scores of all targets, their means, and what is known of leakage."""

    scores: list[TargetScore]
    summary: dict[str, Summary]
    """Means over targets by name, with intervals."""
    cutoff: str
    """Training cutoff of the checkpoint that made the predictions (ISO date); empty where unknown."""
    leakage: str
    """How many targets the training may have seen; empty for none."""
    left_out: str
    """Which targets or predictions were not scored; empty for none."""
    notes: list[str] = field(default_factory=list)
    """What was masked, left out or not paired."""
    failures: list[InputError] = field(default_factory=list)
    """An error for each target that could not be scored."""
    spreads: dict[str, Spread] = field(default_factory=dict)
    """Of the conformers of targets with several references, where it was asked for."""
    spread_summary: dict[str, Summary] = field(default_factory=dict)
    """See `summarize_spread`."""

    def __len__(self) -> int:
        """Number of targets that were scored."""
        return len(self.scores)

    def __repr__(self) -> str:
        means = ", ".join(
            f"{HEADINGS[name]} {self.summary[name].mean:.3f}" for name in ("best1", "best5", "independent5", "lddt")
        )
        failed = f", {len(self.failures)} could not be" if self.failures else ""
        return f"Evaluation({number_of(len(self), 'target')} scored{failed}: {means})"

    def save(self, path: str | Path) -> Path:
        """Write the results as .json (everything) or .csv (the targets); returns the path.

        Raises:
            InputError: another suffix.
            OSError: the folder cannot be written or the disk is full.
        """
        path = Path(path)
        writers = {".json": self.to_json, ".csv": self.to_csv}
        if path.suffix not in writers:
            raise InputError(path, None, "results are written as .json or .csv")
        write_text(path, writers[path.suffix]())
        return path

    def to_json(self) -> str:
        """Everything."""
        described = {
            "cutoff": self.cutoff or None,
            "targets": [asdict(score) for score in self.scores],
            "summary": {name: asdict(value) for name, value in self.summary.items()},
        }
        if self.spreads:
            described["ensembles"] = {name: spread.to_plain() for name, spread in self.spreads.items()}
            described["ensemble_summary"] = {name: asdict(value) for name, value in self.spread_summary.items()}
        return json.dumps(described, indent=1) + "\n"

    def to_csv(self) -> str:
        """One row per target."""
        rows = []
        for score in self.scores:
            row = asdict(score)
            del row["agreement"]
            baselines = row.pop("baselines")
            ranking = row.pop("ranking") or {}
            ranking.pop("log_likelihoods", None)
            network = row.pop("network") or {}
            rows.append(row | ranking | network | baselines)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def table(self) -> "Table":
        """One row per target, with the slot and source of the best of five (won), then the means with their intervals.
        RMSD has room where there are no baselines."""
        from rich.table import Table

        left_out = "rmsd" if "helix" in self.summary else ""
        columns = [name for name in HEADINGS if name in self.summary and name != left_out]
        cutoff = f"training cutoff {self.cutoff}" if self.cutoff else f"training {CUTOFF_UNKNOWN}"
        title = f"TM-score on C1', matched by residue number (indep.: sequence-independent); {cutoff}"
        table = Table("target", title=title)
        for heading in ("nt", "refs", "preds", *(HEADINGS[name] for name in columns)):
            table.add_column(heading, justify="right")
        table.add_column("won")
        table.add_column("date filter")
        for score in self.scores:
            counts = (str(score.length), str(score.references), str(score.predictions))
            won = f"{score.best_slot} {score.best_source}".strip()
            values = (f"{score.value(name):.{DIGITS.get(name, 3)}f}" for name in columns)
            table.add_row(score.target, *counts, *values, won, score.date_filter)
        table.add_section()
        for label, part in _rows_of_means(len(self.scores)):
            values = (f"{getattr(self.summary[name], part):.{DIGITS.get(name, 3)}f}" for name in columns)
            table.add_row(label, "", "", "", *values, "", self.leakage)
        return table

    def spread_table(self) -> "Table":
        """One row per target with several references, then the means with their intervals."""
        from rich.table import Table

        columns = [name for name in SPREAD_HEADINGS if name in self.spread_summary]
        table = Table("target", title="Spread of all conformers against that of the references, Å on C1'")
        for heading in ("preds", "refs", "apart", *(SPREAD_HEADINGS[name] for name in columns)):
            table.add_column(heading, justify="right")
        for name, spread in self.spreads.items():
            numbers = spread.numbers()
            counts = (str(spread.samples), str(spread.references), f"{spread.apart:.1f}")
            table.add_row(name, *counts, *(f"{numbers[one]:.2f}" if one in numbers else "" for one in columns))
        table.add_section()
        for label, part in _rows_of_means(len(self.spreads)):
            values = (f"{getattr(self.spread_summary[one], part):.2f}" for one in columns)
            table.add_row(label, "", "", "", *values)
        return table


def _rows_of_means(targets: int) -> list[tuple[str, str]]:
    """Label and field of `Summary` of the last rows of a table; of fewer targets than `FEWEST` without an interval."""
    mean = (f"mean of {targets}", "mean")
    return [mean, ("95 % from", "low"), ("to", "high")] if targets >= FEWEST else [mean]
