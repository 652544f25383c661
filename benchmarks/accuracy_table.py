"""The table of one checkpoint from its saved numbers: a column for each set, means with intervals over the targets."""

from typing import Any

import numpy as np
from accuracy_saved import Result

from rnagen.metrics import bootstrap_interval

TITLES = {"train": "training", "validation": "validation", "casp15": "CASP15"}
BASELINES = {"helix": "one helix", "stems": "predicted stems"}
BANDS = {"under 60 nt": (0, 60), "60 to 99 nt": (60, 100), "100 to 159 nt": (100, 160), "from 160 nt": (160, 10**6)}
"""Lengths from, and below."""


def columns(targets: dict[str, dict[str, Any]]) -> dict[str, np.ndarray]:
    """Each number of the targets of a set as an array over the targets, differences target by target."""
    tm, mirror = (np.array([target[name] for target in targets.values()]) for name in ("tm", "mirror"))
    best, mean = tm.max(1), tm.mean(1)
    found = {
        "best": best,
        "mean": mean,
        "first": tm[:, 0],
        "best_minus_mean": best - mean,
        "one_minus_tm": np.array([target["one_minus_tm"] for target in targets.values()]),
        "mirror": mirror.mean(1),
        "mean_minus_mirror": mean - mirror.mean(1),
    }
    for name in BASELINES:
        baseline = np.array([target[name] for target in targets.values()])
        found |= {name: baseline, f"best_minus_{name}": best - baseline}
    return found


def by_length(targets: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Means over the targets of each band of lengths that has any, with the better one of the baselines."""
    numbers = columns(targets)
    lengths = np.array([target["length"] for target in targets.values()])
    found = {}
    for name, (least, end) in BANDS.items():
        inside = (lengths >= least) & (lengths < end)
        if inside.any():
            baseline = max(float(numbers[baseline][inside].mean()) for baseline in BASELINES)
            best = float(numbers["best"][inside].mean())
            found[name] = {"targets": int(inside.sum()), "best": round(best, 4), "baseline": round(baseline, 4)}
    return found


def mirror_folds(targets: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Conformers whose mirror image scores higher than they do, of how many, by how much, and what these score at most:
    a fold of the wrong hand would score high."""
    excess = np.concatenate([np.subtract(target["mirror"], target["tm"]) for target in targets.values()])
    mirror = np.concatenate([target["mirror"] for target in targets.values()])[excess > 0]
    higher = excess[excess > 0]
    numbers = (higher.mean(), higher.max(), mirror.max()) if len(higher) else (0.0, 0.0, 0.0)
    mean, most, best = (round(float(number), 4) for number in numbers)
    return {"conformers": len(excess), "higher": len(higher), "mean": mean, "most": most, "best": best}


def summary(result: Result) -> dict[str, Any]:
    """Means with their 95 % bootstrap intervals by set; a gain is paired, target by target."""
    described: dict[str, Any] = {name: result.header[name] for name in ("step", "hours", "parameters", "chains")}
    for label, targets in result.targets.items():
        if targets:
            numbers = {}
            for name, values in columns(targets).items():
                ends = bootstrap_interval(values, 0)
                numbers[name] = dict(zip(("mean", "low", "high"), (round(float(x), 4) for x in (values.mean(), *ends))))
            counts = {"targets": len(targets), "expected": result.expected[label]}
            described[label] = {**counts, **numbers, "mirror_folds": mirror_folds(targets)}
            described[label]["by_length"] = by_length(targets)
    return described


def overview(results: list[Result]) -> list[str]:
    """Lines of a Markdown table with a row for each checkpoint: best of n on each set, and on its long RNAs."""
    *_, longest = BANDS
    columns = ["checkpoint", "hours"]
    for label in TITLES:
        columns += [TITLES[label], f"{TITLES[label]}, {longest}"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for result in results:
        found = summary(result)
        cells = [result.name, f"{found['hours']:.1f}"]
        for label in TITLES:
            numbers = found.get(label)
            cells.append("" if numbers is None else cell(numbers["best"], ""))
            cells.append(band_cell(None if numbers is None else numbers["by_length"].get(longest)))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def table(result: Result) -> list[str]:
    """Lines of the Markdown table."""
    found = summary(result)
    sets = [label for label in TITLES if label in found]
    n = result.identity["n"]
    of = "" if result.identity["candidates"] is None else f" of {result.identity['candidates']}"
    rows = [
        (f"best of {n}{of}", "best", ""),
        (f"best of 1, mean of the {n}", "mean", ""),
        ("best of 1, the first", "first", ""),
        (f"best of {n} − mean", "best_minus_mean", "+"),
        (f"1 − TM among the {n}", "one_minus_tm", ""),
    ]
    for name, label in BASELINES.items():
        rows += [(f"baseline: {label}", name, ""), (f"best of {n} − {label}", f"best_minus_{name}", "+")]
    rows += [("mirror images, mean", "mirror", ""), ("conformers − mirror images", "mean_minus_mirror", "+")]
    header = f"{result.name}: {found['hours']:.1f} h, {found['chains']:,} chains"
    lines = [
        f"| {header} | {' | '.join(title(label, found[label]) for label in sets)} |",
        "|---" * (len(sets) + 1) + "|",
    ]
    lines += [
        f"| {label} | {' | '.join(cell(found[part][name], sign) for part in sets)} |" for label, name, sign in rows
    ]
    for band in BANDS:
        cells = [band_cell(found[part]["by_length"].get(band)) for part in sets]
        if any(cells):
            lines.append(f"| best of {n}, {band} (better baseline; RNAs) | {' | '.join(cells)} |")
    ratios = (f"{found[part]['best']['mean'] / found[part]['helix']['mean']:.2f}" for part in sets)
    mirrors = (mirror_cell(found[part]["mirror_folds"]) for part in sets)
    lines.append(f"| best of {n} / one helix | {' | '.join(ratios)} |")
    lines.append(f"| mirror image scores higher | {' | '.join(mirrors)} |")
    return lines


def title(label: str, numbers: dict[str, Any]) -> str:
    """Name and number of targets of a set, and how many there should be where some are missing."""
    count, expected = numbers["targets"], numbers["expected"]
    return f"{TITLES[label]}, {count} RNAs" + (f" (unfinished: of {expected})" if count < expected else "")


def cell(value: dict[str, float], sign: str) -> str:
    """Mean [95 % interval]."""
    return f"{value['mean']:{sign}.3f} [{value['low']:{sign}.3f}, {value['high']:{sign}.3f}]"


def band_cell(found: dict[str, float] | None) -> str:
    """Mean (baseline; how many), or nothing."""
    return "" if found is None else f"{found['best']:.3f} ({found['baseline']:.3f}; {found['targets']})"


def mirror_cell(found: dict[str, float]) -> str:
    """How many, and by how much."""
    text = f"{found['higher']} of {found['conformers']}"
    return (
        f"{text}, by {found['mean']:.3f} (at most {found['most']:.3f}), up to {found['best']:.3f}"
        if found["higher"]
        else text
    )
