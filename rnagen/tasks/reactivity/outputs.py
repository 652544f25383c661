"""What `rnagen reactivity` writes: a table, a figure per RNA (with measured profiles), and the run's description."""

import hashlib
import tempfile
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
from rnagen.io.reactivity_layout import Window, write_layout
from rnagen.io.reactivity_table import ReactivityTable
from rnagen.io.target import Target
from rnagen.progress import progress_bar
from rnagen.sampling.claim import claimed
from rnagen.tasks.reactivity.infer import Prediction, predict_reactivity
from rnagen.version import __version__

NOT_IDENTITY = {
    *("sequence", "name", "fasta", "csv", "ckpt", "out", "batch_size", "figures", "measured", "check", "device")
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
    """Reactivity [L, E] of those of the sequences that a table in the Ribonanza layout has, by sequence.

    Only profiles that pass the table's own filter (SN_filter) count. Replicates of a sequence are averaged residue by
    residue; NaN where there is no value.

    Raises:
        InputError: as `ReactivityTable.open`, or the table has none of the experiments.
    """
    wanted = set(sequences)
    replicates: dict[str, list[np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as cache:
        table = ReactivityTable.open(path, Path(cache))
        if not set(experiments) & set(table.experiments):
            reason = f"has profiles of {', '.join(table.experiments)}, not of {', '.join(experiments)}"
            raise InputError(path, None, reason)
        for example, sequence in enumerate(table.sequences()):
            if sequence in wanted:
                values = table.reactivity(example)
                values[~(np.isfinite(values) & table.sn_filter[example])] = np.nan
                nothing = np.full(len(sequence), np.nan, dtype=np.float32)
                profile = dict(zip(table.experiments, values.T))
                columns = [profile.get(name, nothing) for name in experiments]
                replicates.setdefault(sequence, []).append(np.column_stack(columns))
    means = {}
    for sequence, found in replicates.items():
        values = np.stack(found)
        count = np.isfinite(values).sum(axis=0)
        if count.any():
            means[sequence] = np.where(count, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
    return {sequence: mean.astype(np.float32) for sequence, mean in means.items()}


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
