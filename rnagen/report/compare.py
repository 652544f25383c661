"""Runs side by side: what differs between them, how they score, and what each setting gains over the first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rnagen.config.compare import FORMATS, TABLE, CompareConfig
from rnagen.errors import ConfigError, InputError
from rnagen.io.files import write_text
from rnagen.metrics.paired import PairedGain
from rnagen.metrics.statistics import FEWEST
from rnagen.report.directions import better
from rnagen.report.runs import Run, Setting, differing_options, read_runs, settings_of, shared_metrics

BASELINES = ("val/tm_helix",)
"""Metrics that do not depend on the run."""

GAIN = "gain [95 %] (above zero is better)"
UNPAIRED = "none in common"
"""In place of the number of seeds: the means over the seeds of each setting are compared."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs side by side; printed, it is two tables in Markdown."""

    runs: list[Run]
    """In order; the setting of the first is what the others are compared with."""
    failures: list[InputError] = field(default_factory=list)
    """An error for each folder that is left out."""

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.runs)

    def __repr__(self) -> str:
        return f"Comparison({len(self)} runs of {len(self.settings)} settings, {len(self.failures)} left out)"

    def __str__(self) -> str:
        return "\n".join(comparison(self.runs))

    @property
    def settings(self) -> list[Setting]:
        """The runs by their options, in order."""
        return settings_of(self.runs)

    def save(self, path: str | Path) -> Path:
        """Write the tables (.md), or draw the learning curves (.svg or .png); returns the path.

        Raises:
            InputError: another suffix.
            OSError: the folder cannot be written or the disk is full.
        """
        path = Path(path)
        if path.suffix not in FORMATS:
            raise InputError(path, None, "comparisons are written as .svg, .png or .md")
        if path.suffix == TABLE:
            write_text(path, f"{self}\n")
            return path
        # matplotlib, which a table does without.
        from rnagen.report.curves import draw_curves

        draw_curves(self.runs, path)
        return path


def compare(config: CompareConfig) -> Comparison:
    """Compare the runs in some folders, and write the result if the options name a file.

    Raises:
        ConfigError: no run can be read.
        OSError: the file cannot be written.
    """
    runs, failures = read_runs(config.runs)
    if not runs:
        reason = "".join(f"; {failure}" for failure in failures[:1])
        raise ConfigError(f"runs: none can be compared (name folders of trainings, as runs/mine){reason}")
    found = Comparison(runs, failures)
    if config.out is not None:
        found.save(config.out)
    return found


def paired_gain(setting: Setting, first: Setting, metric: str) -> PairedGain | None:
    """What a setting gains over the first in the last validation, over the seeds and targets that both have. Without a
    common seed, the means over the seeds are compared. None if they have no target in common.

    A gain above zero is better, of a loss too; for a metric without a better direction it is the difference."""
    common = common_seeds(setting, first)
    chosen = [[some.run_of(seed) for seed in common or some.seeds] for some in (setting, first)]
    scores = [[run.scores(metric) for run in runs] for runs in chosen]
    names = [name for name in scores[0][0] if all(name in found for some in scores for found in some)]
    if not names:
        return None
    mine, others = (np.array([[found[name] for name in names] for found in some]) for some in scores)
    more = mine - others if common else mine.mean(0, keepdims=True) - others.mean(0, keepdims=True)
    return PairedGain(-more if better(metric) == "lower" else more)


def common_seeds(setting: Setting, first: Setting) -> list[int]:
    """Seeds that both have."""
    return [seed for seed in setting.seeds if seed in first.seeds]


def comparison(runs: Sequence[Run]) -> list[str]:
    """Lines of Markdown: the differing options, the metrics of the last validations, and the paired gains."""
    settings, metrics = settings_of(runs), shared_metrics(runs)
    differing = ", ".join(differing_options(runs)) or "nothing but the seed"
    lines = [f"{len(runs)} runs of {len(settings)} settings; they differ in: {differing}", ""]
    lines += table(("setting", "runs", "seeds", "steps", *(name.removeprefix("val/") for name in metrics)))
    lines += [f"| {' | '.join(metrics_row(setting, metrics))} |" for setting in settings]
    if len(settings) > 1:
        columns = ("gain over the first setting", "metric", "better", GAIN, "seeds", "targets")
        lines += ["", *table(columns)]
        compared = [name for name in metrics if name not in BASELINES]
        lines += [f"| {' | '.join(gain_row(one, settings[0], name))} |" for one in settings[1:] for name in compared]
    return lines


def table(columns: Sequence[str]) -> list[str]:
    """Head of a Markdown table."""
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def metrics_row(setting: Setting, metrics: Sequence[str]) -> list[str]:
    """Cells of a setting; metrics are means over its runs."""
    steps = sorted({run.records[-1]["step"] for run in setting.runs})
    means = [np.mean([run.records[-1][name] for run in setting.runs]) for name in metrics]
    names = ", ".join(run.folder.name for run in setting.runs)
    seeds = ", ".join(map(str, setting.seeds))
    return [setting.name, names, seeds, ", ".join(f"{step:,}" for step in steps), *(f"{mean:.4f}" for mean in means)]


def gain_row(setting: Setting, first: Setting, metric: str) -> list[str]:
    """Cells of the gain of a setting."""
    gain, direction = paired_gain(setting, first, metric), better(metric)
    cells = [setting.name, metric.removeprefix("val/"), direction]
    if gain is None:
        return [*cells, "no common target", "", ""]
    seeds, targets = gain.gains.shape
    interval = "" if max(seeds, targets) < FEWEST else " [{:+.4f}, {:+.4f}]".format(*gain.over_both())
    value = f"{gain.mean:+.4f}{interval}" + (" (difference)" if direction == "neither" else "")
    return [*cells, value, str(seeds) if common_seeds(setting, first) else UNPAIRED, str(targets)]
