"""Runs side by side: what differs between them, how they score, and what each setting gains over the first."""

from collections.abc import Sequence

import numpy as np

from rnagen.metrics.paired import PairedGain
from rnagen.report.runs import Run, Setting, differing_options, settings_of, shared_metrics

BASELINES = ("val/tm_helix",)
"""Metrics that do not depend on the run."""


def paired_gain(setting: Setting, first: Setting, metric: str) -> PairedGain | None:
    """What a setting gains over the first in the last validation, over the seeds and targets that both have. Without a
    common seed, the means over the seeds are compared. None if they have no target in common."""
    common = [seed for seed in setting.seeds if seed in first.seeds]
    chosen = [[some.run_of(seed) for seed in common or some.seeds] for some in (setting, first)]
    scores = [[run.scores(metric) for run in runs] for runs in chosen]
    names = [name for name in scores[0][0] if all(name in found for some in scores for found in some)]
    if not names:
        return None
    mine, others = (np.array([[found[name] for name in names] for found in some]) for some in scores)
    return PairedGain(mine - others if common else mine.mean(0, keepdims=True) - others.mean(0, keepdims=True))


def comparison(runs: Sequence[Run]) -> list[str]:
    """Lines of Markdown: the differing options, the metrics of the last validations, and the paired gains."""
    settings, metrics = settings_of(runs), shared_metrics(runs)
    differing = ", ".join(differing_options(runs)) or "nothing but the seed"
    lines = [f"{len(runs)} runs of {len(settings)} settings; they differ in: {differing}", ""]
    lines += table(("setting", "runs", "seeds", "steps", *(name.removeprefix("val/") for name in metrics)))
    lines += [f"| {' | '.join(metrics_row(setting, metrics))} |" for setting in settings]
    if len(settings) > 1:
        columns = ("gain over the first setting", "metric", "gain [95 %]", "seeds", "targets")
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
    gain = paired_gain(setting, first, metric)
    cells = [setting.name, metric.removeprefix("val/")]
    if gain is None:
        return [*cells, "no common target", "", ""]
    seeds, targets = gain.gains.shape
    if gain.gains.size == 1:
        return [*cells, f"{gain.mean:+.4f}", "1", "1"]
    return [*cells, "{:+.4f} [{:+.4f}, {:+.4f}]".format(gain.mean, *gain.over_both()), str(seeds), str(targets)]
