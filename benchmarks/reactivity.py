"""Encoders that predict reactivity, at equal compute, beside floors, on sequences unlike those of the training.

    python benchmarks/reactivity.py --data train_data.parquet --cache cache

Trains every variant that `runs` does not hold yet for the same processor time (its steps are counted out beforehand, so
that the one-cycle schedule ends with it), predicts the held-out fold, and ends with a table of mean absolute errors per
experiment type, the shipped checkpoint among them (its training held out the same fold). `--variants` splits the
trainings over several processes.
"""

import json
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
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
"""Options of each variant, over the defaults."""
LONGEST_SHORT = 107
"""Residues of the longest sequence of the variants that see no longer ones."""
UNPAIRED_BINS = 10
PAIRS_OF = {"base_pairs": "projection"}


@dataclass
class Options:
    """What to train and where."""

    data: Path
    """Profiles in the Ribonanza layout."""
    cache: Path = Path("cache")
    """Folder of what is made of them once."""
    runs: Path = Path("runs/reactivity")
    """Folder of the runs; a run that is there is not trained again."""
    minutes: float = 10.0
    """Processor minutes of each training, on one thread."""
    profiles: int = 1000
    """Held-out profiles of the most frequent experiment that are predicted; of the others, all are."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Which of them."""
    train_only: bool = False
    """Leave out the table."""
    out: Path | None = None
    """Write the rows as JSON too."""


def configuration(name: str, options: Options) -> ReactivityConfig:
    """Options of a variant."""
    places = {"data": options.data, "cache": options.cache, "run_dir": options.runs, "run_name": name}
    common = {"epochs": 1, "validate": False, "accelerator": "cpu"}
    return load_config(ReactivityConfig(), {**places, **common, **VARIANTS[name]}, name)


def seconds_per_step(config: ReactivityConfig, dataset: ReactivityDataset) -> float:
    """Processor time of a training step, median of six of different lengths, on one thread."""
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


def remembered_seconds(config: ReactivityConfig, dataset: ReactivityDataset) -> float:
    """`seconds_per_step`, measured once per shape of model and longest sequence: variants that differ in nothing else
    get the same number of steps."""
    file = config.run.run_dir / "seconds.json"
    known = json.loads(file.read_text()) if file.is_file() else {}
    shape = json.dumps({**to_plain(config.model), "max_length": config.dataset.max_length})
    if shape not in known:
        known[shape] = seconds_per_step(config, dataset)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(known, indent=1) + "\n")
    return float(known[shape])


def train(name: str, options: Options) -> Path:
    """Weights of a variant, trained where they are not there yet.

    Raises:
        CalledProcessError: the training failed.
    """
    config = configuration(name, options)
    weights = options.runs / name / "last.safetensors"
    if not weights.is_file():
        data = ReactivityDataModule(config)
        data.prepare_data()
        data.setup("fit")
        seconds = remembered_seconds(config, data.train)
        steps = min(int(60 * options.minutes / seconds), data.batches_per_epoch)
        print(f"{name}: {seconds:.2f} s per step, {steps} steps", flush=True)
        values = {"run_dir": options.runs, "run_name": name, "data": options.data, "cache": options.cache}
        values |= {"train_batches": steps, "epochs": 1, "accelerator": "cpu"} | VARIANTS[name]
        flags = [text for key, value in values.items() for text in flag(key, value)]
        subprocess.run([sys.executable, "train.py", "--task", "reactivity", "--no-validate", *flags], check=True)
    return weights


def flag(name: str, value: Any) -> list[str]:
    """An option as it is typed."""
    typed = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [typed if value else "--no-" + name.replace("_", "-")]
    return [typed, str(value)]


@dataclass(frozen=True)
class Held:
    """Held-out profiles: [rows] each, with the values that were observed, one after the other."""

    experiment: list[str]
    length: np.ndarray
    sn_filter: np.ndarray
    values: list[np.ndarray]
    """Targets, clipped to [0, 1]."""
    bases: list[np.ndarray]
    unpaired: list[np.ndarray]
    """ViennaRNA's probability that a residue is unpaired."""


def profiles(dataset: ReactivityDataset, examples: np.ndarray) -> Held:
    """The profiles of some examples."""
    out = Held([], [], [], [], [], [])  # type: ignore[arg-type]
    for index in examples:
        example = dataset[int(index)]
        unpaired = 1 - example.pair_probabilities.sum(1)
        for channel in np.flatnonzero(example.observed.any(0)):
            seen = example.observed[:, channel]
            out.experiment.append(dataset.table.experiments[channel])
            out.length.append(len(seen))  # type: ignore[attr-defined]
            out.sn_filter.append(example.sn_filter[channel])  # type: ignore[attr-defined]
            out.values.append(example.reactivity[seen, channel].clip(0, 1).astype(np.float64))
            out.bases.append(example.bases[seen])
            out.unpaired.append(unpaired[seen].clip(0, 1))
    return replace(out, length=np.array(out.length), sn_filter=np.array(out.sn_filter))


def baselines(train: Held, held: Held) -> dict[str, list[np.ndarray]]:
    """Predictions of the floors for the held-out profiles, each fitted to the training profiles of its experiment."""
    out: dict[str, list[np.ndarray]] = {
        "mean per base": [],
        "median per base": [],
        "unpaired, scaled": [],
        "base × unpaired": [],
    }
    fitted: dict[str, tuple[Any, ...]] = {}
    for experiment in sorted(set(held.experiment)):
        mine = [n for n, e in enumerate(train.experiment) if e == experiment]
        values, bases, unpaired = (
            np.concatenate([part[n] for n in mine]) for part in (train.values, train.bases, train.unpaired)
        )
        codes = range(len(BASES))
        mean = np.array([values[bases == b].mean() if (bases == b).any() else values.mean() for b in codes])
        median = np.array([np.median(values[bases == b]) if (bases == b).any() else np.median(values) for b in codes])
        scales = np.linspace(0, 1.5, 301)
        scale = scales[np.argmin([np.abs(values - (s * unpaired).clip(0, 1)).mean() for s in scales])]
        table = np.repeat(median[:, None], UNPAIRED_BINS, axis=1)
        cells = (unpaired * UNPAIRED_BINS).astype(int).clip(0, UNPAIRED_BINS - 1)
        for b in codes:
            for c in range(UNPAIRED_BINS):
                here = (bases == b) & (cells == c)
                if here.any():
                    table[b, c] = np.median(values[here])
        fitted[experiment] = (mean, median, scale, table)
    for experiment, bases, unpaired in zip(held.experiment, held.bases, held.unpaired):
        mean, median, scale, table = fitted[experiment]
        out["mean per base"].append(mean[bases])
        out["median per base"].append(median[bases])
        out["unpaired, scaled"].append((scale * unpaired).clip(0, 1))
        out["base × unpaired"].append(table[bases, (unpaired * UNPAIRED_BINS).astype(int).clip(0, UNPAIRED_BINS - 1)])
    return out


def predictions(
    checkpoint: ReactivityCheckpoint, dataset: ReactivityDataset, examples: np.ndarray, folder: Path
) -> list[np.ndarray]:
    """Predictions of a model at the observed values, in the order of `profiles`; kept in `folder`."""
    selected = folder / f"held_out-{checkpoint.fingerprint[:16]}-{len(examples)}.npz"
    if not selected.is_file():
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
        np.savez(selected, values=np.concatenate(flat), sizes=[len(values) for values in flat])
    with np.load(selected) as stored:
        return np.split(stored["values"], np.cumsum(stored["sizes"])[:-1])


def mean_error(errors: list[np.ndarray], chosen: np.ndarray) -> dict[str, Any]:
    """Mean over all observed values of the chosen profiles, and a 95 % bootstrap interval over the profiles."""
    sums = np.array([errors[n].sum() for n in np.flatnonzero(chosen)])
    counts = np.array([len(errors[n]) for n in np.flatnonzero(chosen)])
    plans = np.random.default_rng(0).integers(len(sums), size=(2000, len(sums)))
    low, high = np.percentile(sums[plans].sum(1) / counts[plans].sum(1), [2.5, 97.5])
    return {"mae": round(sums.sum() / counts.sum(), 4), "low": round(low, 4), "high": round(high, 4), "n": len(sums)}


def subsets(held: Held) -> dict[str, np.ndarray]:
    """What the columns are taken over."""
    kinds = np.array(held.experiment)
    frequent = max(set(held.experiment), key=held.experiment.count)
    columns = {kind: kinds == kind for kind in sorted(set(held.experiment))}
    columns[f"{frequent}, SN_filter"] = (kinds == frequent) & held.sn_filter
    columns[f"{frequent}, ≤ {LONGEST_SHORT} nt"] = (kinds == frequent) & (held.length <= LONGEST_SHORT)
    columns[f"{frequent}, > {LONGEST_SHORT} nt"] = (kinds == frequent) & (held.length > LONGEST_SHORT)
    return {name: chosen for name, chosen in columns.items() if chosen.any()}


def chosen_examples(dataset: ReactivityDataset, most: int) -> np.ndarray:
    """All examples of the rare experiments and `most` of the most frequent one, always the same."""
    frequent = int(dataset.used.sum(axis=0).argmax())
    has = dataset.used[dataset.numbers][:, frequent]
    picked = np.random.default_rng(0).permutation(np.flatnonzero(has))[:most]
    return np.sort(np.concatenate([picked, np.flatnonzero(~has)]))


def main(options: Options) -> None:
    """Train, predict, compare."""
    warnings.simplefilter("ignore")
    weights = {name: train(name, options) for name in options.variants}
    if options.train_only:
        return
    data = ReactivityDataModule(load_config(configuration("transformer", options), PAIRS_OF, "baselines"))
    data.setup("fit")
    assert data.val is not None
    examples = chosen_examples(data.val, options.profiles)
    held = profiles(data.val, examples)
    columns = subsets(held)
    methods: dict[str, tuple[dict[str, Any], list[np.ndarray]]] = {
        f"floor: {name}": ({}, values)
        for name, values in baselines(profiles(data.train, np.arange(len(data.train))), held).items()
    }
    for name, path in {**weights, "shipped checkpoint": DEFAULT_CHECKPOINT}.items():
        checkpoint = load_reactivity_checkpoint(path)
        about = {"steps": checkpoint.metadata["step"], "parameters": checkpoint.model.num_parameters}
        methods[name] = (about, predictions(checkpoint, data.val, examples, options.runs))
    rows = []
    for name, (about, predicted) in methods.items():
        errors = [np.abs(p.astype(np.float64) - v) for p, v in zip(predicted, held.values, strict=True)]
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
