"""Experiments: one change of the baseline each, trained at equal compute over several seeds, compared chain by chain.

    python benchmarks/experiments.py run baseline encoder_frozen --seeds 0 1 2 --data data
    python benchmarks/experiments.py table
    python benchmarks/experiments.py table --about encoder
    python benchmarks/experiments.py flow --data data --out benchmarks/results/trainings.json

`benchmarks/experiments/NAME.yaml` holds what NAME changes of baseline.yaml, or of the experiment that it names under
`against`, and the `question` that it answers. `run` trains what `runs` does not hold yet, samples the validation chains
and saves the score of every chain in benchmarks/results/experiments; `table` makes the table from what is saved, with
the baseline and, against the same seeds of what an experiment changes, the paired difference: with an interval over the
chains (of the mean over the seeds), which does not show how trainings differ, and one over the seeds, which does.
`flow` compares experiments with the path, the prediction and other choices of the flow, sampled by SDE and ODE.
"""

import csv
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
import yaml
from validation import (
    Row,
    as_json,
    chain_baselines,
    chain_scores,
    helix_baseline,
    print_table,
    score,
    validation_chains,
)

from rnagen.checkpoints.structure import load_checkpoint
from rnagen.config.sampling import SamplerConfig
from rnagen.metrics import bootstrap_interval
from rnagen.metrics.paired import PairedGain

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "experiments"
BASELINE = "baseline"
NO_OPTIONS = ("question", "against")
"""Entries of an experiment's file besides options of the training."""
FLOW = (
    *("baseline", "GVP-velocity", "VP-velocity", "Sqrt-velocity", "Linear-noise", "Linear-score", "Linear-data"),
    *("Sqrt-noise", "selfcond", "consistency", "dropout"),
)
SAMPLERS = {
    "SDE": SamplerConfig(steps=10),
    "ODE": SamplerConfig(sampling_method="euler", steps=10),
    "DDPM": SamplerConfig(sampling_method="ddpm", steps=10),
    "DDIM": SamplerConfig(sampling_method="ddim", steps=10),
}


@dataclass
class Places:
    """Where an experiment reads and writes."""

    data: Path = Path("data")
    """Prepared dataset."""
    splits: Path = Path("splits")
    """Folder with train.csv and val.csv."""
    runs: Path = Path("runs/experiments")
    """Folder of the runs; a run that is there is not trained again."""
    max_length: int = 120
    """Residues of the longest chain that is scored."""


@dataclass
class Run(Places):
    """Train, sample, score, save."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Experiments: names of files in benchmarks/experiments."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of each."""
    sampler: SamplerConfig = field(default_factory=lambda: SamplerConfig(steps=10))


@dataclass
class Flow(Places):
    """Train each experiment with seed 0, sample it by SDE and ODE, print the table."""

    names: tuple[str, ...] = FLOW
    """Experiments."""
    out: Path | None = None
    """Write the rows as JSON too."""


@dataclass
class Table:
    """Print the table of all that is saved."""

    about: tuple[str, ...] = ()
    """Only experiments that set one of these options, and those that they change."""


def changes(name: str) -> dict[str, Any]:
    """The options that the file of an experiment sets.

    Raises:
        FileNotFoundError: there is no such experiment.
    """
    found: dict[str, Any] = yaml.safe_load((HERE / "experiments" / f"{name}.yaml").read_text())
    return found


def parent(name: str) -> str | None:
    """The experiment that this one changes; None for the baseline."""
    return None if name == BASELINE else str(changes(name).get("against", BASELINE))


def own_options(name: str) -> dict[str, Any]:
    """Options that an experiment sets itself."""
    return {option: value for option, value in changes(name).items() if option not in NO_OPTIONS}


def configuration(name: str) -> dict[str, Any]:
    """Options of an experiment: those of the one that it changes, and its own."""
    above = parent(name)
    return own_options(name) if above is None else {**configuration(above), **own_options(name)}


def run(options: Run) -> None:
    """Each experiment with each seed, seed by seed: what is there of them is comparable at any time."""
    for seed in options.seeds:
        for name in options.names:
            saved = RESULTS / f"{name}-{seed}.json"
            if not saved.is_file():
                saved.parent.mkdir(parents=True, exist_ok=True)
                saved.write_text(json.dumps(measure(name, seed, options), indent=1) + "\n")
            print(f"{name}, seed {seed}: best of 5 {np.mean(json.loads(saved.read_text())['best5']):.4f}", flush=True)


def trained(name: str, seed: int, places: Places) -> Path:
    """Weights of an experiment, trained unless they are there.

    Raises:
        CalledProcessError: the training failed.
    """
    run_name = f"{name}-{seed}"
    weights = places.runs / run_name / "last.safetensors"
    if not weights.is_file():
        places.runs.mkdir(parents=True, exist_ok=True)
        written = places.runs / f"{run_name}.yaml"
        written.write_text(yaml.safe_dump(configuration(name)))
        where = ("--data", places.data, "--splits", places.splits, "--run-dir", places.runs, "--run-name", run_name)
        flags = [str(part) for part in ("--config", written, *where, "--seed", seed)]
        subprocess.run([sys.executable, "train.py", *flags], check=True)
    return weights


def measure(name: str, seed: int, options: Run) -> dict[str, Any]:
    """Scores of every validation chain.

    Raises:
        CalledProcessError: the training failed.
    """
    checkpoint = load_checkpoint(trained(name, seed, options))
    chains = validation_chains(options.data, options.splits, checkpoint.config.model.atoms, options.max_length)
    return {
        "experiment": name,
        "seed": seed,
        "config": configuration(name),
        "step": checkpoint.metadata["step"],
        "hours": checkpoint.metadata["hours"],
        "chains": [chain.name for chain in chains],
        "helix": chain_baselines(chains, checkpoint.config.model.atoms),
        **chain_scores(checkpoint, chains, options.sampler, f"{name}-{seed}"),
    }


def flow_losses(folder: Path) -> dict[str, float]:
    """Mean flow loss of the first and of the last fifth of a run."""
    with next(folder.glob("log/*/metrics.csv")).open() as file:
        values = [float(row["train/flow"]) for row in csv.DictReader(file) if row.get("train/flow")]
    fifth = max(1, len(values) // 5)
    return {"flow_first": round(sum(values[:fifth]) / fifth, 4), "flow_last": round(sum(values[-fifth:]) / fifth, 4)}


def flow(options: Flow) -> None:
    """Paths, predictions and other choices of the flow, side by side."""
    rows: dict[str, Row] = {}
    trainings: dict[str, Any] = {}
    for name in options.names:
        weights = trained(name, 0, options)
        checkpoint = load_checkpoint(weights)
        atoms, transport = checkpoint.config.model.atoms, checkpoint.config.transport
        chains = validation_chains(options.data, options.splits, atoms, options.max_length)
        discrete = transport.path_type == "Sqrt" and transport.prediction == "noise"
        for sampler in SAMPLERS if discrete else ("SDE", "ODE"):
            rows[f"{name} {sampler}"] = score(checkpoint, chains, SAMPLERS[sampler], f"{name} {sampler}")
        trainings[name] = {"step": checkpoint.metadata["step"], **flow_losses(weights.parent)}
        print(f"{name}: {trainings[name]}", flush=True)
    baseline = helix_baseline(chains, atoms)
    print_table(rows, baseline, len(chains))
    if options.out is not None:
        result = {"chains": len(chains), "helix": round(baseline, 4), "training": trainings, "rows": as_json(rows)}
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def table(results: Path = RESULTS, about: tuple[str, ...] = ()) -> list[str]:
    """Lines of the Markdown table of the saved experiments; seeds of an experiment are averaged chain by chain."""
    saved: dict[str, dict[int, dict[str, Any]]] = {}
    for path in sorted(results.glob("*.json")):
        result = json.loads(path.read_text())
        saved.setdefault(result["experiment"], {})[result["seed"]] = result
    baseline = np.mean(next(iter(saved[BASELINE].values()))["helix"])
    columns = (
        "experiment",
        "changes",
        "against",
        "seeds",
        "steps",
        f"best of 5 [95 %] (one helix: {baseline:.3f})",
        "each seed",
    )
    columns += ("gain, over chains [95 %]", "gain, over seeds [95 %]")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    visible = sorted(saved, key=lambda name: (name != BASELINE, name))
    if about:
        chosen = {name for name in visible if set(about) & set(own_options(name))}
        visible = [name for name in visible if name in chosen | {parent(name) for name in chosen}]
    return lines + [f"| {' | '.join(row(name, saved))} |" for name in visible]


def row(name: str, saved: dict[str, dict[int, dict[str, Any]]]) -> list[str]:
    """Cells of one experiment."""
    seeds, above = saved[name], parent(name)
    scores = np.array([result["best5"] for result in seeds.values()])
    low, high = bootstrap_interval(scores.mean(0), 0)
    cells = [f"**{name}**: {changes(name)['question']}", described(name) if above else "", above or ""]
    cells += [str(len(seeds)), f"{next(iter(seeds.values()))['step']:,}"]
    cells += [f"{scores.mean():.3f} [{low:.3f}, {high:.3f}]", ", ".join(f"{score:.3f}" for score in scores.mean(1))]
    common = [] if above is None else sorted(seeds.keys() & saved.get(above, {}).keys())
    if above is None or not common:
        return [*cells, "", ""]
    gains = np.array([np.subtract(seeds[seed]["best5"], saved[above][seed]["best5"]) for seed in common])
    gain = PairedGain(gains)
    each = ", ".join(f"{one:+.3f}" for one in gain.by_seed)
    ends = gain.over_seeds()
    over_seeds = each if ends is None else "[{:+.3f}, {:+.3f}]: {}".format(*ends, each)
    return [*cells, "{:+.3f} [{:+.3f}, {:+.3f}]".format(gain.mean, *gain.over_targets()), over_seeds]


def described(name: str) -> str:
    """What an experiment changes; files without their folder."""
    values = {option: str(value).rpartition("/")[2] for option, value in own_options(name).items()}
    return ", ".join(f"`{option}` {value}" for option, value in values.items())


if __name__ == "__main__":
    verbs = {"run": run, "flow": flow, "table": lambda options: print("\n".join(table(about=options.about)))}
    kinds = {"run": Run, "flow": Flow, "table": Table}
    chosen = tyro.extras.subcommand_cli_from_dict(kinds)
    next(verbs[name] for name, kind in kinds.items() if isinstance(chosen, kind))(chosen)
