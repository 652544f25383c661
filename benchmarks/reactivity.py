"""Encoders that predict reactivity, at equal compute, against baselines, on sequences unlike the training sequences.

    python benchmarks/reactivity.py --data train_data.parquet --cache cache

Trains every variant missing from `runs` for the same processor time (the number of steps is set beforehand, so that the
one-cycle schedule ends in time), predicts the held-out split, and prints a table of mean absolute errors per experiment
type, including the shipped checkpoint (its training held out the same split). `--variants` splits the trainings over
several processes.
"""

import json
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import tyro

from rnagen.checkpoints.reactivity import DEFAULT_CHECKPOINT, ReactivityCheckpoint, load_reactivity_checkpoint
from rnagen.config.files import load_config, to_plain
from rnagen.config.reactivity import ReactivityConfig
from rnagen.model.reactivity import ReactivityModel
from rnagen.structure import BASES
from rnagen.tasks.reactivity.data import ReactivityDataModule
from rnagen.tasks.reactivity.dataset import ReactivityDataset, flipped, reactivity_batch
from rnagen.tasks.reactivity.infer import predict
from rnagen.tasks.reactivity.module import weighted_error

VARIANTS: dict[str, dict[str, Any]] = {
    "transformer": {},
    "squeezeformer": {"encoder": "squeezeformer"},
    "convformer": {"encoder": "convformer"},
    "transformer, no base pairs": {"base_pairs": "none"},
    "transformer, unweighted": {"sn_weights": False},
    "transformer, ≤ 107 nt": {"max_length": 107},
    "squeezeformer, ≤ 107 nt": {"encoder": "squeezeformer", "max_length": 107},
}
"""Options of each variant that are not defaults."""
LONGEST_SHORT = 107
"""Longest training sequence of the variants with short sequences only."""
UNPAIRED_BINS = 10


@dataclass
class Options:
    """What to train and where."""

    data: Path
    """Profiles in the Ribonanza layout."""
    cache: Path = Path("cache")
    """Folder for what is computed from them once."""
    runs: Path = Path("runs/reactivity")
    """Folder of the runs; existing runs are not trained again."""
    minutes: float = 10.0
    """Processor minutes of each training, on one thread."""
    profiles: int = 1000
    """Held-out profiles of the most frequent experiment to predict; those of the others are all predicted."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Variants to train and compare."""
    train_only: bool = False
    """Stop after training, without the table."""
    out: Path | None = None
    """Also write the rows to this JSON file."""


def values_of(name: str, options: Options) -> dict[str, Any]:
    """The options of a variant that are not defaults."""
    places = {"data": options.data, "cache": options.cache, "run_dir": options.runs, "run_name": name}
    return {**places, "epochs": 1, "validate": False, "accelerator": "cpu", **VARIANTS[name]}


def seconds_per_step(config: ReactivityConfig, dataset: ReactivityDataset) -> float:
    """Processor time of a training step on one thread: the median of six steps at different lengths."""
    torch.set_num_threads(1)
    model = ReactivityModel(config.model, dataset.table.experiments)
    order = np.argsort(dataset.lengths, kind="stable")
    size, taken = config.dataset.batch_size, []
    for place in np.linspace(0, len(order) - size, 7).astype(int):
        started = time.process_time()
        batch = flipped(reactivity_batch([dataset[int(i)] for i in order[place : place + size]]))
        weighted_error(model(batch.features), batch).backward()
        taken.append(time.process_time() - started)
    return float(np.median(taken[1:]))


def stored_seconds(config: ReactivityConfig, dataset: ReactivityDataset) -> float:
    """`seconds_per_step`, measured once per model shape and longest sequence, so that variants with the same ones get
    the same number of steps."""
    file = config.run.run_dir / "seconds.json"
    known = json.loads(file.read_text()) if file.is_file() else {}
    shape = json.dumps({**to_plain(config.model), "max_length": config.dataset.max_length})
    if shape not in known:
        known[shape] = seconds_per_step(config, dataset)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(known, indent=1) + "\n")
    return float(known[shape])


def train(name: str, options: Options) -> Path:
    """Weights of a variant, trained unless they exist.

    Raises:
        CalledProcessError: the training failed.
    """
    weights = options.runs / name / "last.safetensors"
    if not weights.is_file():
        values = values_of(name, options)
        config = load_config(ReactivityConfig(), values, name)
        data = ReactivityDataModule(config)
        data.prepare_data()
        data.setup("fit")
        seconds = stored_seconds(config, data.train)
        steps = min(int(60 * options.minutes / seconds), data.batches_per_epoch)
        print(f"{name}: {seconds:.2f} s per step, {steps} steps", flush=True)
        flags = [text for key, value in {**values, "train_batches": steps}.items() for text in flag(key, value)]
        subprocess.run([sys.executable, "train.py", "--task", "reactivity", *flags], check=True)
    return weights


def flag(name: str, value: Any) -> list[str]:
    """An option as on the command line."""
    typed = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [typed if value else "--no-" + name.replace("_", "-")]
    return [typed, str(value)]


def profiles(dataset: ReactivityDataset, examples: np.ndarray) -> pd.DataFrame:
    """One row per profile: experiment, length, sn_filter, and at its observed values one after the other the targets
    (`values`, clipped to [0, 1]), `bases` and ViennaRNA's probability that a residue is `unpaired`."""
    rows = []
    for index in examples:
        example = dataset[int(index)]
        bases, pairs = example.features.bases[0].numpy(), example.features.pair_probabilities[0].numpy()
        unpaired = (1 - pairs.sum(1)).clip(0, 1)
        for channel in np.flatnonzero(example.observed.any(0)):
            seen = example.observed[:, channel]
            values = example.reactivity[seen, channel].clip(0, 1).astype(np.float64)
            described = (dataset.table.experiments[channel], len(seen), bool(example.sn_filter[channel]))
            rows.append((*described, values, bases[seen], unpaired[seen]))
    return pd.DataFrame(rows, columns=["experiment", "length", "sn_filter", "values", "bases", "unpaired"])


def baselines(train: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, list[np.ndarray]]:
    """Predictions of the baselines for held-out profiles, each fitted to the training profiles of its experiment."""
    fitted: dict[str, tuple[Any, ...]] = {}
    for experiment, mine in train.groupby("experiment"):
        values, bases, unpaired = (np.concatenate(mine[name].tolist()) for name in ("values", "bases", "unpaired"))
        mean, median = np.full(len(BASES), values.mean()), np.full(len(BASES), np.median(values))
        for b in np.unique(bases):
            mean[b], median[b] = values[bases == b].mean(), np.median(values[bases == b])
        scales = np.linspace(0, 1.5, 301)
        scale = scales[np.argmin([np.abs(values - (s * unpaired).clip(0, 1)).mean() for s in scales])]
        table = np.repeat(median[:, None], UNPAIRED_BINS, axis=1)
        for (b, c), cell in pd.Series(values).groupby([bases, bins(unpaired)]):
            table[b, c] = cell.median()
        fitted[str(experiment)] = (mean, median, scale, table)
    out: dict[str, list[np.ndarray]] = defaultdict(list)
    for row in held_out.itertuples():
        mean, median, scale, table = fitted[row.experiment]
        out["mean per base"].append(mean[row.bases])
        out["median per base"].append(median[row.bases])
        out["unpaired, scaled"].append((scale * row.unpaired).clip(0, 1))
        out["base × unpaired"].append(table[row.bases, bins(row.unpaired)])
    return out


def bins(unpaired: np.ndarray) -> np.ndarray:
    """Bin of each probability."""
    return (unpaired * UNPAIRED_BINS).astype(int).clip(0, UNPAIRED_BINS - 1)


def predictions(
    checkpoint: ReactivityCheckpoint, dataset: ReactivityDataset, examples: np.ndarray, folder: Path
) -> list[np.ndarray]:
    """Predictions of a model at the observed values, in the order of `profiles`; stored in `folder`."""
    file = folder / f"held_out-{checkpoint.fingerprint[:16]}-{len(examples)}.npz"
    if not file.is_file():
        model = checkpoint.model
        order = examples[np.argsort(dataset.lengths[examples], kind="stable")]
        found: dict[int, list[np.ndarray]] = {}
        for start in range(0, len(order), 16):
            batch = reactivity_batch([dataset[int(i)] for i in order[start : start + 16]])
            predicted = predict([model], batch.features, flip=True).numpy()
            for row, index in enumerate(order[start : start + 16]):
                seen = batch.observed[row].numpy()
                channels = np.flatnonzero(seen.any(0))
                found[int(index)] = [predicted[row, seen[:, channel], channel] for channel in channels]
        flat = [values for index in examples for values in found[int(index)]]
        np.savez(file, values=np.concatenate(flat), sizes=[len(values) for values in flat])
    with np.load(file) as stored:
        return np.split(stored["values"], np.cumsum(stored["sizes"])[:-1])


def mean_error(errors: list[np.ndarray], chosen: np.ndarray) -> dict[str, Any]:
    """Mean over all observed values of the chosen profiles, and a 95 % bootstrap interval over the profiles."""
    sums = np.array([errors[n].sum() for n in np.flatnonzero(chosen)])
    counts = np.array([len(errors[n]) for n in np.flatnonzero(chosen)])
    resampled = np.random.default_rng(0).integers(len(sums), size=(2000, len(sums)))
    low, high = np.percentile(sums[resampled].sum(1) / counts[resampled].sum(1), [2.5, 97.5])
    return {"mae": round(sums.sum() / counts.sum(), 4), "low": round(low, 4), "high": round(high, 4), "n": len(sums)}


def subsets(held_out: pd.DataFrame) -> dict[str, np.ndarray]:
    """The profiles that each column of the table averages over."""
    frequent = held_out["experiment"].mode()[0]
    mine, short = held_out["experiment"] == frequent, held_out["length"] <= LONGEST_SHORT
    columns = {kind: held_out["experiment"] == kind for kind in sorted(set(held_out["experiment"]))}
    columns[f"{frequent}, SN_filter"] = mine & held_out["sn_filter"]
    columns[f"{frequent}, ≤ {LONGEST_SHORT} nt"] = mine & short
    columns[f"{frequent}, > {LONGEST_SHORT} nt"] = mine & ~short
    return {name: chosen.to_numpy() for name, chosen in columns.items() if chosen.any()}


def chosen_examples(dataset: ReactivityDataset, most: int) -> np.ndarray:
    """All examples of the rare experiments and `most` of the most frequent one, always the same."""
    frequent = int(dataset.used.sum(axis=0).argmax())
    has = dataset.used[dataset.numbers][:, frequent]
    picked = np.random.default_rng(0).permutation(np.flatnonzero(has))[:most]
    return np.sort(np.concatenate([picked, np.flatnonzero(~has)]))


def main(options: Options) -> None:
    """Train, predict and compare."""
    warnings.simplefilter("ignore")
    weights = {name: train(name, options) for name in options.variants}
    if options.train_only:
        return
    config = load_config(ReactivityConfig(), values_of("transformer", options), "transformer")
    data = ReactivityDataModule(config)
    data.prepare_data()
    data.setup("fit")
    assert data.val is not None
    examples = chosen_examples(data.val, options.profiles)
    held_out = profiles(data.val, examples)
    columns = subsets(held_out)
    methods: dict[str, tuple[dict[str, Any], list[np.ndarray]]] = {
        f"baseline: {name}": ({}, values)
        for name, values in baselines(profiles(data.train, np.arange(len(data.train))), held_out).items()
    }
    for name, path in {**weights, "shipped checkpoint": DEFAULT_CHECKPOINT}.items():
        checkpoint = load_reactivity_checkpoint(path)
        about = {"steps": checkpoint.metadata["step"], "parameters": checkpoint.model.num_parameters}
        methods[name] = (about, predictions(checkpoint, data.val, examples, options.runs))
    rows = []
    for name, (about, predicted) in methods.items():
        errors = [np.abs(p.astype(np.float64) - v) for p, v in zip(predicted, held_out["values"], strict=True)]
        rows.append({"name": name, **about, "errors": {c: mean_error(errors, chosen) for c, chosen in columns.items()}})
    if options.out is not None:
        options.out.write_text(
            json.dumps({"minutes": options.minutes, "rows": rows}, indent=1, ensure_ascii=False) + "\n"
        )
    counts = [f"{name} ({int(chosen.sum())})" for name, chosen in columns.items()]
    print(f"| mean absolute error | steps | {' | '.join(counts)} |\n|---|---|{'---|' * len(columns)}")
    for row in rows:
        cells = [f"{cell['mae']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]" for cell in row["errors"].values()]
        print(f"| {row['name']} | {row.get('steps', '')} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
