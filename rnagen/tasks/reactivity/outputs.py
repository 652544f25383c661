"""What `rnagen reactivity` writes: a table, a figure per RNA (with measured profiles), and the run's description."""

import hashlib
import tempfile
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from rnagen.checkpoints.reactivity import ReactivityCheckpoint
from rnagen.config.files import to_plain
from rnagen.config.reactivity import ReactivityOptions
from rnagen.errors import InputError
from rnagen.io.folders import folder_names
from rnagen.io.profiles import first_line, fitting_experiment
from rnagen.io.reactivity_layout import Window, write_layout
from rnagen.io.reactivity_table import ReactivityTable
from rnagen.io.records import read_lines
from rnagen.io.shape_file import EXPERIMENT, is_shape, read_shape
from rnagen.io.target import Target
from rnagen.progress import progress_bar
from rnagen.sampling.claim import claimed
from rnagen.tasks.reactivity.infer import Prediction, predict_reactivity
from rnagen.version import __version__

NOT_IDENTITY = {
    *("sequence", "name", "fasta", "csv", "ckpt", "out", "batch_size"),
    *("figures", "measured", "check", "device", "cache", "quiet"),
}
"""Options that do not change the table, or that the identity of a run holds in a better form."""


def predict_to_folder(
    targets: Sequence[Target],
    models: Sequence[ReactivityCheckpoint],
    options: ReactivityOptions,
    measured: Mapping[str, Float32[np.ndarray, "_ E"]],
) -> Prediction:
    """Predict RNAs that `refuse_unfit` let pass, and write run.json, the table and the figures to `options.out`.

    Args:
        measured: measured profiles by sequence, for the figures.

    Raises:
        ConfigError: the folder belongs to another run, or another process writes to it.
        OSError: the folder cannot be written or the disk is full.
    """
    with claimed(options.out, describe_run(targets, options, models)):
        with progress_bar("reactivity", len(targets)) as advance:
            prediction = predict_reactivity(targets, models, options.batch_size, options.flip, advance)
        sequences = {target.name: target.sequence for target in targets if target.name in prediction.profiles}
        window = Window(options.skip_start, options.skip_end)
        if sequences:
            table = options.out / f"reactivity.{options.format}"
            write_layout(table, sequences, prediction.profiles, prediction.experiments, window)
        if options.figures:
            files = folder_names(target.name for target in targets)
            places = {name: options.out / f"{files[name]}.svg" for name in sequences}
            _write_figures(places, sequences, prediction, window, measured)
    return prediction


def _write_figures(
    places: Mapping[str, Path],
    sequences: Mapping[str, str],
    prediction: Prediction,
    window: Window,
    measured: Mapping[str, Float32[np.ndarray, "_ E"]],
) -> None:
    # Not at the top: matplotlib takes a second to import.
    from rnagen.report.reactivity import figure, mfe_arcs, save_figure

    with progress_bar("figures", len(sequences)) as advance:
        for name, sequence in sequences.items():
            observed = window.observed(np.array([len(sequence)]), len(sequence))[0, :, None]
            profile = np.where(observed, prediction.profiles[name], np.float32(np.nan))
            arcs, dots = mfe_arcs(sequence), measured.get(sequence)
            save_figure(figure(name, sequence, profile, prediction.experiments, arcs, dots), places[name])
            advance(1, name)


def measured_profiles(
    path: Path, sequences: Collection[str], experiments: tuple[str, ...]
) -> dict[str, Float32[np.ndarray, "_ E"]]:
    """Reactivity [L, E] of those of the sequences that a file has, by sequence: a table in the Ribonanza layout, an
    RDAT file, or a `.shape` file, which belongs to the one sequence.

    Only profiles that pass the file's own filter (SN_filter) count. For an experiment that the file does not have
    stands one that fits (`fitting_experiment`), with a warning. Replicates of a sequence are averaged residue by
    residue; NaN where there is no value.

    Raises:
        InputError: as `ReactivityTable.open` or `read_shape`; the file has no experiment that fits; a `.shape` file for
            several sequences.
    """
    wanted = set(sequences)
    replicates: dict[str, list[np.ndarray]] = {}
    if is_shape(first_line(path)):
        names: tuple[str, ...] = (EXPERIMENT,)
        replicates = _shape_profile(path, wanted)
    else:
        with tempfile.TemporaryDirectory() as cache:
            table = ReactivityTable.open(path, Path(cache))
            names = table.experiments
            for example, sequence in enumerate(table.sequences()):
                if sequence in wanted:
                    values = table.reactivity(example)
                    values[~(np.isfinite(values) & table.sn_filter[example])] = np.nan
                    replicates.setdefault(sequence, []).append(values)
    columns = _columns(path, experiments, names)
    means = {}
    for sequence, found in replicates.items():
        values = np.stack([np.column_stack([one, np.full(len(sequence), np.nan)])[:, columns] for one in found])
        count = np.isfinite(values).sum(axis=0)
        if count.any():
            means[sequence] = np.where(count, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
    return {sequence: mean.astype(np.float32) for sequence, mean in means.items()}


def _shape_profile(path: Path, sequences: set[str]) -> dict[str, list[np.ndarray]]:
    if len(sequences) > 1:
        raise InputError(path, None, f"has no sequence and cannot belong to {len(sequences)} RNAs: give only its own")
    return {s: [read_shape(path, read_lines(path), len(s))[:, None]] for s in sequences}


def _columns(path: Path, wanted: tuple[str, ...], available: tuple[str, ...]) -> list[int]:
    """Position of the experiment that stands for each of those wanted; the one behind the last where none does."""
    fitting = [fitting_experiment(name, available) for name in wanted]
    if not any(fitting):
        raise InputError(path, None, f"has profiles of {', '.join(available)}, not of {', '.join(wanted)}")
    for name, found in zip(wanted, fitting):
        if found is not None and found != name:
            warnings.warn(f"{path}: {found} stands for {name}", stacklevel=3)
    return [len(available) if found is None else available.index(found) for found in fitting]


def describe_run(
    targets: Sequence[Target], options: ReactivityOptions, models: Sequence[ReactivityCheckpoint]
) -> dict[str, Any]:
    """run.json: the identity of the run, and the origin of its models."""
    import RNA

    records = "".join(f">{target.name}\n{target.sequence}\n" for target in targets)
    return {
        "identity": {
            "task": "reactivity",
            **{name: value for name, value in to_plain(options).items() if name not in NOT_IDENTITY},
            "targets": len(targets),
            "targets_sha256": hashlib.sha256(records.encode()).hexdigest(),
            "checkpoints_sha256": [c.fingerprint for c in models],
        },
        "checkpoints": [
            {"file": c.path.name, "encoder": c.model.config.encoder, "parameters": c.model.num_parameters}
            for c in models
        ],
        "experiments": list(models[0].model.experiments),
        "versions": {"rnagen": __version__, "torch": torch.__version__, "ViennaRNA": RNA.__version__},
    }
