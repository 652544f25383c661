"""The Python API, which the command line calls too.

Every function takes the options of its verb as keywords, under the names of the command line with underscores.
"""

import warnings
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rnagen.after_sampling import page as page
from rnagen.after_sampling import submit as submit
from rnagen.caches import cached_in
from rnagen.config.compare import CompareConfig
from rnagen.config.evaluation import EvaluateConfig
from rnagen.config.files import load_config
from rnagen.config.library import LibraryConfig
from rnagen.config.prepare import PrepareConfig
from rnagen.config.reactivity import ReactivityOptions
from rnagen.config.sampling import SampleConfig
from rnagen.devices import choose_device
from rnagen.errors import ConfigError, InputError
from rnagen.evaluation.results import Evaluation
from rnagen.evaluation.run import evaluate as _evaluate
from rnagen.io.pair_matrix import matrix_of
from rnagen.messages import quoted
from rnagen.progress import progress_bar, silenced
from rnagen.report.compare import Comparison
from rnagen.report.compare import compare as _compare
from rnagen.report.notebook import show as show
from rnagen.report.page.write import report_of_sampling
from rnagen.sampling.ensemble import Ensemble
from rnagen.sampling.inputs import Targets, gather_targets, given_file, given_target, given_targets, unique_targets
from rnagen.sampling.results import SampledTargets
from rnagen.sampling.run import SamplingRun
from rnagen.sampling.structures import named_structure
from rnagen.tasks import default_options, make_task
from rnagen.tasks.reactivity.infer import Prediction, load_models, predict_reactivity, refuse_unfit

if TYPE_CHECKING:
    from rnagen.preparation.library import BuiltLibrary
    from rnagen.preparation.run import Prepared

INPUTS = ("sequence", "name", "fasta", "csv")
"""Options of the command line that name the RNAs; here they are arguments of their own."""


def sample(
    sequence: str, n: int = 5, *, name: str = "rna", structure: str | Path | np.ndarray | None = None, **options: Any
) -> Ensemble:
    """Draw n conformers of one RNA.

    Args:
        sequence: T counts as U, lower case as upper case. `sample_targets` takes several, and files.
        n: number of conformers.
        name: part of the seed; the same seed and name give the same conformers as `sample.py --name … --seed …`.
        structure: secondary structure that the conformers are conditioned on, for a model that reads one: dot-bracket
            notation or a file; or base-pair probabilities in place of ViennaRNA's: a file or a symmetric matrix [L, L].
        options: any other option of `sample.py`, such as `out`, `seed`, `candidates`, `ckpt`, `device`, `steps`, `tau`.

    Returns:
        coordinates [n, L, A, 3] of all heavy atoms (`atoms="beads"`: of those that the model generates) in Å (`coords`,
        `structure`), their predicted TM-scores (`predicted_tm`) and lDDT (`confidence.lddt`). It iterates over the
        conformers; `save` writes them.

    Raises:
        InputError: the sequence, secondary structure or checkpoint cannot be used, or the memory does not suffice.
        ConfigError: an option does not exist, this checkpoint cannot be sampled with it, or several sequences.

    >>> ensemble = sample("GGGGCUUCGGCCCC", n=2, steps=2)
    >>> ensemble  # doctest: +ELLIPSIS
    Ensemble(rna: 2 conformers of 14 nt, predicted TM-score ...)
    >>> ensemble.coords.shape, ensemble.to_numpy("C1'").shape
    ((2, 14, 27, 3), (2, 14, 3))
    >>> [conformer.num_models for conformer in ensemble.superposed()]
    [1, 1]
    >>> ensemble.structure.atoms[:5]  # where a residue has no such atom, structure.mask is False
    ('P', 'OP1', 'OP2', "O5'", "C5'")
    """
    if not isinstance(sequence, str):
        wanted = "one sequence; sample_targets takes several, and files"
        raise ConfigError(f"sample: {quoted(sequence)} cannot be used (expected {wanted})")
    matrix = structure if isinstance(structure, np.ndarray) else None
    text = None if matrix is not None else structure
    given = load_config(SampleConfig(), {"sequence": sequence, "name": name, "structure": text}, "sample")
    file = named_structure(given.structure)
    target = given_target("sample", given.name, sequence, None if file else given.structure)
    if matrix is not None:
        target = replace(target, pair_matrix=matrix_of(matrix, target.sequence))
    result = _sample("sample", [target], {"n": n, **options} | ({"structure": file} if file else {}))
    if result.failures:
        raise result.failures[0]
    return result[name]


def sample_targets(
    targets: Targets | None = None, n: int = 5, *, out: str | Path | None = None, **options: Any
) -> SampledTargets:
    """Draw n conformers of each of several RNAs, as `sample.py` does.

    Args:
        targets: a FASTA file, a table of sequences or a folder of them; one sequence, which is named rna; a list of
            sequences, which are named rna_1, rna_2 …; or sequences by name, as a dict or pairs.
        n: number of conformers.
        out: folder to write to; a run that was interrupted is resumed, one of the same options is added to. An RNA that
            has more conformers there has them in the result too.
        options: any other option of `sample.py`, such as `seed`, `candidates`, `ckpt`, `device`, `steps`, `tau`, and
            `structure`, a folder of secondary structures or base-pair probabilities named by target.

    Returns:
        ensembles by name, as a mapping; records that cannot be used, and targets that do not fit into memory, are in
        `failures`.

    Raises:
        InputError: a file or checkpoint cannot be used.
        ConfigError: options that do not exist or cannot be combined, or a folder that belongs to another run.

    >>> result = sample_targets([("hairpin", "GGGGCUUCGGCCCC"), ("bad", "GG?")], n=1, steps=2)
    >>> result["hairpin"].predicted_tm.shape
    (1,)
    >>> [failure.record for failure in result.failures]
    ['bad']
    >>> sample_targets(["GGGGCUUCGGCCCC", "GGGAAACCC"], n=1, steps=2)
    SampledTargets(2 RNAs (rna_1, rna_2), 0 failed)
    """
    return _sample("sample_targets", targets, {"n": n, "out": out, **options})


def _sample(function: str, targets: Targets | None, options: dict[str, Any]) -> SampledTargets:
    """`sample_targets` for a function whose name stands in errors."""
    for name in INPUTS:
        if name in options:
            raise ConfigError(f"{function}: {name}: the RNAs are the first argument")
    out = options.pop("out", None)
    config = load_config(SampleConfig(), options if out is None else {"out": out, **options}, function)
    failures: list[InputError] = []
    file = given_file(targets)
    if file is not None:
        job = SamplingRun(load_config(config, {"fasta": file}, function))
    else:
        made, failures = given_targets(function, targets)
        job = SamplingRun(config, made)
    if not job.targets:
        return SampledTargets({}, failures + job.failures)
    place = nullcontext() if out is None else job.open(config.out)
    with silenced(config.quiet), cached_in(config.cache), place as folder:
        total = sum(job.cost(target, folder) for target in job.waiting(folder))
        done: dict[str, Ensemble] = {}
        if folder is not None:
            done = {one.name: folder.read_ensemble(one.name, one.sequence) for one in job.finished(folder)}
        with progress_bar("sampling", total) as advance:
            for target, result in job.draw(folder, advance):
                if isinstance(result, Ensemble):
                    done[target.name] = result
        if folder is not None and done and config.report and (unwritten := report_of_sampling(config.out)):
            warnings.warn(unwritten, stacklevel=3)
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
    paths = {"predictions": predictions, "references": references}
    config = load_config(EvaluateConfig(Path(), Path()), {**paths, **options}, "evaluate")
    with silenced(config.quiet):
        return _evaluate(config)


def reactivity(targets: Targets, *, ckpt: str | Path | Sequence[str | Path] = (), device: str = "auto") -> Prediction:
    """Predict the chemical-mapping reactivity of RNAs, as `rnagen reactivity` does.

    Args:
        targets: as of `sample_targets`.
        ckpt: a reactivity checkpoint, or several, whose mean is returned; the shipped one by default.
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
    config = load_config(ReactivityOptions(), {"ckpt": ckpt, "device": device}, "reactivity")
    file = given_file(targets)
    if file is not None:
        found, failures = gather_targets([file])
    else:
        found, failures = unique_targets(*given_targets("reactivity", targets))
    models = load_models(config.ckpt, choose_device(config.device))
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

    config = load_config(PrepareConfig(), {"inputs": inputs, "out": out, **options}, "prepare")
    with silenced(config.quiet):
        return run_prepare(config)


def library(source: str | Path | None = None, out: str | Path | None = None, **options: Any) -> "BuiltLibrary":
    """Make a template library, or open one, as `rnagen library` does.

    Args:
        source: a dataset, or a folder of structures, to make a library of; without `out`, a library, by default the one
            that ships with rnagen.
        out: file to write (.safetensors).
        options: any option of `rnagen library`, such as `assume_date`, `workers`.

    Returns:
        the library, and the chains and files that are not in it, with the reason.

    Raises:
        InputError: the source cannot be used.
        ConfigError: an option does not exist or cannot be used.

    >>> library().library  # doctest: +ELLIPSIS
    Library(... chains of ... sequences, ... residues, released ...)
    """
    from rnagen.preparation.library import make_library

    config = load_config(LibraryConfig(), {"source": source, "out": out, **options}, "library")
    with silenced(config.quiet):
        return make_library(config)


def train(task: str | None = None, **options: Any) -> Path:
    """Train a model, as `train.py` does; returns the folder of the run.

    Args:
        task: structure, reactivity or confidence; None: that of the run that `ckpt` resumes, else structure.
        options: any option of the task, such as `data`, `epochs`, `crop`, `run_name`. With `ckpt`, a training state,
            the run goes on with its own options; few may change.

    Raises:
        InputError: data, splits or checkpoint cannot be used.
        ConfigError: options that do not exist or cannot be combined.
        TrainingError: no step could be taken, because no loss was finite.
    """
    ckpt = options.get("ckpt")
    defaults = default_options(task, Path(ckpt) if isinstance(ckpt, str | Path) else None)
    # Sampling does not wait for lightning.
    from rnagen.training.fit import fit

    return fit(make_task(load_config(defaults, options, "train"))).folder


def compare(runs: str | Path | Iterable[str | Path], **options: Any) -> Comparison:
    """Put trainings side by side, as `rnagen compare` does.

    Args:
        runs: folders of runs, or a folder that holds them; the first run is what the others are compared with.
        options: any option of `rnagen compare`: `out`.

    Returns:
        what differs between the runs, their last validations and the paired gains over the first setting, as tables
        once it is printed. Folders that cannot be read, or share no metric with the first, are in `failures`.

    Raises:
        ConfigError: an option does not exist, or no run can be read.

    >>> rnagen.compare(["runs/mine", "runs/mine2"]).save("out/curves.svg")  # doctest: +SKIP
    """
    return _compare(load_config(CompareConfig(()), {"runs": runs, **options}, "compare"))
