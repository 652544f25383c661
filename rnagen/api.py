"""The Python API, which the command line calls too.

Every function takes the options of its verb as keywords, under the names of the command line with underscores.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnagen.config.evaluation import EvaluateConfig
from rnagen.config.files import load_config
from rnagen.config.prepare import PrepareConfig
from rnagen.config.sampling import SampleConfig
from rnagen.devices import choose_device
from rnagen.errors import ConfigError, InputError
from rnagen.evaluation.results import Evaluation
from rnagen.evaluation.run import evaluate as _evaluate
from rnagen.io.target import Target, make_target
from rnagen.sampling.ensemble import Ensemble
from rnagen.sampling.inputs import gather_targets, unique_targets
from rnagen.sampling.run import SamplingRun
from rnagen.tasks import TASKS, make_task
from rnagen.tasks.reactivity.infer import Prediction, load_models, predict_reactivity, refuse_unfit

if TYPE_CHECKING:
    from rnagen.preparation.run import Prepared

Targets = str | Path | Mapping[str, str] | Sequence[Target | tuple[str, str]]
"""A file or folder, or sequences by name."""


@dataclass(frozen=True)
class SampledTargets:
    """The ensembles of a run by target, in order, and the records that failed."""

    ensembles: dict[str, Ensemble]
    failures: list[InputError]

    def __len__(self) -> int:
        """Number of ensembles."""
        return len(self.ensembles)

    def __getitem__(self, name: str) -> Ensemble:
        """The ensemble of a target."""
        return self.ensembles[name]


def sample(sequence: str, n: int = 5, *, name: str = "rna", structure: str | None = None, **options: Any) -> Ensemble:
    """Draw n conformers of one RNA.

    Args:
        sequence: T counts as U, lower case as upper case.
        n: number of conformers.
        name: part of the seed; the same seed and name give the same conformers as `sample.py --name … --seed …`.
        structure: secondary structure in dot-bracket notation that the conformers are conditioned on, for a model that
            reads one.
        options: any other option of `sample.py`, such as `seed`, `candidates`, `ckpt`, `device`, `steps`, `tau`.

    Returns:
        coordinates [n, L, A, 3] in Å (`coords`, `structure`) and the confidence in them (`confidence`).

    Raises:
        InputError: the sequence, secondary structure or checkpoint cannot be used, or the memory does not suffice.
        ConfigError: an option does not exist, or this checkpoint cannot be sampled with it.

    >>> ensemble = sample("GGGGCUUCGGCCCC", n=2, steps=2)
    >>> ensemble.coords.shape
    (2, 14, 4, 3)
    >>> ensemble.structure.atoms
    ('P', "C4'", "C1'", 'N')
    """
    target = make_target("sample", name, sequence, structure)
    result = sample_targets([target], n, **options)
    if result.failures:
        raise result.failures[0]
    return result[name]


def sample_targets(
    targets: Targets,
    n: int = 5,
    *,
    out: str | Path | None = None,
    **options: Any,
) -> SampledTargets:
    """Draw n conformers of each of several RNAs, as `sample.py` does.

    Args:
        targets: a FASTA file, a table of sequences or a folder of them; or sequences by name, as a dict or pairs.
        n: number of conformers.
        out: folder to write to; a run that was interrupted is resumed.
        options: any other option of `sample.py`.

    Returns:
        ensembles by name; records that cannot be used, and targets that do not fit into memory, are in `failures`.

    Raises:
        InputError: a file or checkpoint cannot be used.
        ConfigError: options that do not exist or cannot be combined, or a folder that belongs to another run.

    >>> result = sample_targets([("hairpin", "GGGGCUUCGGCCCC"), ("bad", "GG?")], n=1, steps=2)
    >>> result["hairpin"].confidence.tm.shape
    (1,)
    >>> [failure.record for failure in result.failures]
    ['bad']
    """
    config = load_config(SampleConfig(), {"n": n, **options}, "sample_targets")
    failures: list[InputError] = []
    if isinstance(targets, str | Path):
        job = SamplingRun(load_config(config, {"fasta": targets}, "sample_targets"))
    else:
        made, failures = _made(targets)
        job = SamplingRun(config, made)
    if not job.targets:
        return SampledTargets({}, failures + job.failures)
    with nullcontext() if out is None else job.open(Path(out)) as folder:
        done: dict[str, Ensemble] = {}
        if folder is not None:
            done = {one.name: folder.read_ensemble(one.name, one.sequence) for one in job.finished(folder)}
        done |= {target.name: result for target, result in job.draw(folder) if isinstance(result, Ensemble)}
    ordered = {name: done[name] for name in job.names if name in done}
    return SampledTargets(ordered, failures + job.failures)


def evaluate(predictions: str | Path, references: str | Path, **options: Any) -> Evaluation:
    """Score predictions against references, as `rnagen evaluate` does.

    Args:
        predictions: submission table, folder of a run, or folder of structure files.
        references: table of labels, folder of structure files, or dataset.
        options: any option of `rnagen evaluate`, such as `split`, `dates`, `likelihood`, `out`.

    Returns:
        scores by target, their means with intervals, and what is known of leakage.

    Raises:
        InputError: an unusable input, a missing prediction, or a checkpoint whose training may have seen a target.
    """
    paths = EvaluateConfig(Path(predictions), Path(references))
    return _evaluate(load_config(paths, options, "evaluate"))


def reactivity(targets: Targets, *, ckpt: Sequence[str | Path] = (), device: str = "auto") -> Prediction:
    """Predict the chemical-mapping reactivity of RNAs, as `rnagen reactivity` does.

    Args:
        targets: a FASTA file, a table of sequences or a folder of them; or sequences by name, as a dict or pairs.
        ckpt: reactivity checkpoints, whose mean is returned; the shipped one by default.
        device: auto, cpu, cuda or mps.

    Returns:
        profiles [L, E] in [0, 1] by name, the E experiments, and the RNAs that failed.

    Raises:
        InputError: a file or checkpoint cannot be used.
        ConfigError: the device does not exist, or checkpoints of different experiments.

    >>> prediction = reactivity([("hairpin", "GGGGCUUCGGCCCC")])
    >>> prediction.profiles["hairpin"].shape == (14, len(prediction.experiments))
    True
    """
    if isinstance(targets, str | Path):
        found, failures = gather_targets([Path(targets)])
    else:
        made, unmade = _made(targets)
        found, failures = unique_targets(made, unmade)
    models = load_models([Path(path) for path in ckpt], choose_device(device))
    good, refused = refuse_unfit(found, models)
    prediction = predict_reactivity(good, models)
    return replace(prediction, failures=failures + refused + prediction.failures)


def prepare(inputs: str | Path | Sequence[str | Path], out: str | Path = "data", **options: Any) -> "Prepared":
    """Make a dataset from structure files and tables, as `rnagen prepare` does.

    Args:
        inputs: folders, structure files and Kaggle tables.
        out: folder of the dataset; a run that was interrupted is resumed.
        options: any option of `rnagen prepare`, such as `splits`, `assume_date`, `workers`.

    Returns:
        the report of chains, duplicates and skipped inputs, and the sizes of the splits.

    Raises:
        InputError: inputs, metadata or folder cannot be used.
        ConfigError: an option does not exist, or there is no input.
    """
    # Sampling does not wait for gemmi.
    from rnagen.preparation.run import run_prepare

    listed = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    return run_prepare(load_config(PrepareConfig(), {"inputs": listed, "out": out, **options}, "prepare"))


def train(task: str = "structure", **options: Any) -> Path:
    """Train a model, as `train.py` does; returns the folder of the run.

    Args:
        task: structure, reactivity or confidence.
        options: any option of the task, such as `data`, `epochs`, `crop`, `run_name`.

    Raises:
        InputError: data, splits or checkpoint cannot be used.
        ConfigError: options that do not exist or cannot be combined.
        TrainingError: no step could be taken, because no loss was finite.
    """
    if task not in TASKS:
        raise ConfigError(f"task: {task!r} does not exist; choose one of {', '.join(TASKS)}")
    # Sampling does not wait for lightning.
    from rnagen.training.fit import fit

    return fit(make_task(load_config(TASKS[task](), options, "train"))).folder


def _made(targets: Mapping[str, str] | Sequence[Target | tuple[str, str]]) -> tuple[list[Target], list[InputError]]:
    """Targets, and an error for each that cannot be made."""
    made, failures = [], []
    for given in targets.items() if isinstance(targets, Mapping) else targets:
        try:
            made.append(given if isinstance(given, Target) else make_target("inputs", *given))
        except InputError as error:
            failures.append(error)
    return made, failures
