"""How good a checkpoint is on chains that it trained on, on later ones, and on CASP15, side by side, beside baselines.
The model alone is measured, without templates.

    python benchmarks/accuracy.py rnagen/assets/small.safetensors --data data
    python benchmarks/accuracy.py runs/long/step_*.safetensors --sets validation --max-length 260 --steps 10
    python benchmarks/accuracy.py

Conformers are sampled from the sequence alone, as `sample.py` does, and scored as `rnagen evaluate` scores them:
TM-score on C1', residues matched by number. Every conformer's mirror image is scored too. What is found is saved chain
by chain in benchmarks/results/accuracy, under the name of the run and its step; the same command goes on where it was
interrupted. The last lines are a table for each checkpoint, below one of all where there are several; without a
checkpoint, of all that is saved.
"""

import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from accuracy_saved import Result, read_baselines, read_results, write_baselines
from accuracy_table import overview, summary, table
from accuracy_targets import SETS, target_sets
from rich.progress import track

from rnagen.checkpoints.confidence import find_confidence
from rnagen.checkpoints.structure import Checkpoint, load_checkpoint
from rnagen.cli.options import guarded, parse
from rnagen.config.files import to_plain
from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.devices import choose_device
from rnagen.evaluation.scores import baseline_scores, score_conformers
from rnagen.io.target import Target
from rnagen.sampling.ensemble import Models
from rnagen.sampling.ranking import ranked
from rnagen.sampling.sharing import draw_shared
from rnagen.sampling.solver import check_sampling
from rnagen.structure import RNAStructure

RESULTS = Path(__file__).parent / "results" / "accuracy"
BASELINE_SEED = 0


@dataclass(frozen=True)
class Options:
    """What to measure, on what."""

    ckpts: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Weights (.safetensors, with their .json beside them)."""
    data: Path = Path("data")
    """Prepared dataset, or the file it was packed to, as the checkpoint was trained on."""
    splits: Path = Path("splits")
    """Folder with train.csv and val.csv."""
    casp15: Path = Path("../shared/data/kaggle/validation_labels.csv")
    """Table of labels of the CASP15 targets, with the table of their sequences beside it."""
    sets: tuple[Literal["train", "validation", "casp15"], ...] = SETS
    """Which RNAs."""
    train_chains: int = 60
    """Chains of the training set: of different clusters, of the lengths of the validation chains."""
    max_length: int = 1000
    """Residues of the longest chain."""
    n: int = 5
    """Conformers per RNA."""
    candidates: int | None = None
    """Conformers to sample per RNA, `n` of which are selected."""
    seed: int = 0
    """Of the conformers."""
    results: Path = RESULTS
    """Folder of what is saved."""
    out: Path | None = None
    """Write the numbers of the tables as JSON too."""
    sampler: SamplerConfig = field(default_factory=SamplerConfig)


def run(options: Options) -> int:
    """Measure what is not saved yet, print the tables; returns 0.

    Raises:
        InputError, ConfigError: an input that cannot be used, or what is saved was measured otherwise.
    """
    found = [measure(path, options) for path in options.ckpts] or read_results(options.results)
    if options.out is not None:
        options.out.write_text(json.dumps({result.name: summary(result) for result in found}, indent=1) + "\n")
    visible = [table(result) for result in found]
    if len(found) > 1:
        visible.insert(0, overview(found))
    print("\n\n".join("\n".join(lines) for lines in visible))
    return 0


def measure(path: Path, options: Options) -> Result:
    """Every target of one checkpoint that is not saved yet.

    Raises:
        InputError, ConfigError: see `run`.
        SamplingError: a conformer could not be sampled.
    """
    device = choose_device("auto")
    checkpoint = load_checkpoint(path, device)
    check_sampling(checkpoint.config, options.sampler)
    confidence = find_confidence(checkpoint, device) if options.candidates else None
    sets, fingerprint = target_sets(
        checkpoint,
        options.sets,
        options.data,
        options.splits,
        options.casp15,
        options.train_chains,
        options.max_length,
    )
    identity = {
        "checkpoint": checkpoint.fingerprint,
        "confidence": confidence.fingerprint if confidence else None,
        "data": fingerprint,
        **{name: getattr(options, name) for name in ("train_chains", "max_length", "n", "candidates", "seed")},
        **{name: value for name, value in asdict(options.sampler).items() if name != "chunk"},
    }
    options.results.mkdir(parents=True, exist_ok=True)
    result = Result.open(options.results, describe(checkpoint), identity)
    models, baselines = Models(checkpoint, confidence), read_baselines(options.results)
    for label, targets in sets.items():
        result.expect(label, len(targets))
        waiting = [target for name, target in targets.items() if name not in result.targets[label]]
        for target in track(waiting, f"{result.name}: {label}", transient=True, disable=not sys.stdout.isatty()):
            key = digest(target)
            if key not in baselines:
                baselines[key] = {
                    name: round(value, 4) for name, value in baseline_scores(target, BASELINE_SEED).items()
                }
                write_baselines(options.results, baselines)
            result.add(label, target.name, {**measure_target(models, target, options), **baselines[key]})
    return result


def measure_target(models: Models, target: RNAStructure, options: Options) -> dict[str, Any]:
    """Conformers of one RNA, the first choice first, each scored."""
    start = time.perf_counter()
    wanted = Target(target.name, target.sequence)
    plan = SamplingPlan(options.n, options.candidates, options.seed, options.sampler, atoms="beads")
    ensemble = ranked(draw_shared([models], wanted, plan))
    seconds = time.perf_counter() - start
    scores = score_conformers(ensemble.structure, target)
    return {
        "length": len(target),
        "references": target.num_models,
        "tm": [round(value, 4) for value in scores.tm],
        "mirror": [round(value, 4) for value in scores.mirror],
        "one_minus_tm": round(scores.one_minus_tm, 4),
        "redrawn": ensemble.redrawn,
        "seconds": round(seconds, 2),
    }


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """The facts of a checkpoint over which learning curves are plotted."""
    known = checkpoint.metadata
    return {
        "name": f"{checkpoint.config.run.run_name}-{known['step']}",
        "step": known["step"],
        "hours": known["hours"],
        "parameters": checkpoint.model.num_parameters,
        "chains": known["data"]["chains"],
        "cutoff": known["cutoff"],
        "config": to_plain(checkpoint.config),
    }


def digest(target: RNAStructure) -> str:
    """What the baselines of a target depend on: they are the same for every checkpoint."""
    content = hashlib.sha256(f"{BASELINE_SEED} {target.sequence}".encode())
    for array in (target.coords, target.mask):
        content.update(array.tobytes())
    return f"{target.name} {content.hexdigest()[:16]}"


def main(arguments: list[str]) -> int:
    """Parse the command line and run."""
    # The search for superpositions is many small products: on cores that others use too, several threads are slower.
    torch.set_num_threads(1)
    return guarded(lambda: run(parse(Options(), arguments, "benchmarks/accuracy.py")), "benchmarks/accuracy.py")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
