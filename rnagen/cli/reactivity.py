"""`rnagen reactivity`: chemical-mapping reactivity of RNAs as a table and figures; or the check of such a table."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rnagen.cli.options import guarded, parse
from rnagen.config.files import to_plain
from rnagen.config.infer import ReactivityOptions
from rnagen.devices import choose_device
from rnagen.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from rnagen.checkpoints.reactivity import ReactivityCheckpoint
    from rnagen.io.target import Target

PROG = "rnagen reactivity"
NOT_IDENTITY = {
    *("sequence", "name", "fasta", "csv", "ckpt", "out", "batch_size", "figures", "measured", "check", "device")
}
"""Options that do not change the table, or that the identity of a run holds in a better form."""

T = TypeVar("T")


def main(arguments: Sequence[str]) -> int:
    """Parse, then predict or check; torch is imported only then."""
    return guarded(lambda: run(parse(ReactivityOptions(), arguments, PROG)), PROG)


def run(options: ReactivityOptions) -> int:
    """Predict every RNA, or check a table of them. 0: all done; 1: some records failed; 2: nothing could be done.

    Raises:
        InputError, ConfigError: nothing was or will be written.
    """
    from rnagen.sampling.inputs import gather_targets
    from rnagen.sampling.outputs import RESERVED_NAMES

    files = [path for path in (options.fasta, options.csv) if path is not None]
    targets, errors = gather_targets(files, options.sequence, options.name, reserved=RESERVED_NAMES)
    models: list[ReactivityCheckpoint] = []
    if targets and options.check is None:
        from rnagen.checkpoints.reactivity import DEFAULT_CHECKPOINT
        from rnagen.tasks.reactivity.infer import load_models

        models = load_models(options.ckpt or (DEFAULT_CHECKPOINT,), choose_device(options.device))
        targets, unfit = refuse_unfit(targets, options, models)
        errors += unfit
    for target in targets:
        for warning in target.warnings:
            print(f"warning: {target.name}: {warning}", file=sys.stderr)
    if not targets:
        for error in errors:
            print(f"{PROG}: {error}", file=sys.stderr)
        return 2
    if options.check is not None:
        _check(targets, options)
    else:
        errors += _predict(targets, options, models)
    if errors:
        print(f"{len(errors)} records failed:", file=sys.stderr)
        for error in errors:
            print(f"  {error}", file=sys.stderr)
        return 1
    return 0


def refuse_unfit(
    targets: list["Target"], options: ReactivityOptions, models: list["ReactivityCheckpoint"]
) -> tuple[list["Target"], list[InputError]]:
    """The RNAs that can be predicted, and an error for each that is too short for a value or too long for memory or
    folding."""
    from rnagen.sampling.memory import available_memory
    from rnagen.secondary.vienna import MAXIMUM_LENGTH
    from rnagen.tasks.reactivity.infer import estimated_memory, needs_pairs

    free, skipped = available_memory(), options.skip_start + options.skip_end
    folds = needs_pairs([c.model for c in models])
    good, errors = [], []
    for target in targets:
        length = len(target.sequence)
        need = max(estimated_memory(length, c.model.config) for c in models)
        if length <= skipped:
            reason = f"{length} nt, and {skipped} get no value (--skip-start, --skip-end)"
        elif length > MAXIMUM_LENGTH and (folds or options.figures):
            mend = "cut the sequence into domains" if folds else "give --no-figures"
            reason = f"{length} nt cannot be folded ({MAXIMUM_LENGTH} can): {mend}"
        elif need > free:
            reason = (
                f"{length} nt need about {need / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free: "
                "cut the sequence into domains, or use a larger machine"
            )
        else:
            good.append(target)
            continue
        errors.append(InputError("inputs", target.name, reason))
    return good, errors


def _check(targets: list["Target"], options: ReactivityOptions) -> None:
    from rnagen.tasks.reactivity.layout import Window, check_layout

    assert options.check is not None
    sequences = {target.name: target.sequence for target in targets}
    experiments = check_layout(options.check, sequences, (), Window(options.skip_start, options.skip_end))
    print(f"{options.check}: reactivity of {len(targets)} RNAs, complete and sound: {', '.join(experiments)}")


def _predict(
    targets: list["Target"], options: ReactivityOptions, models: list["ReactivityCheckpoint"]
) -> list[InputError]:
    import numpy as np

    from rnagen.sampling.outputs import OutputFolder
    from rnagen.secondary.vienna import sparse_base_pairs
    from rnagen.tasks.reactivity.infer import needs_pairs, predict_profiles
    from rnagen.tasks.reactivity.layout import Window, write_layout

    networks = [c.model for c in models]
    experiments = networks[0].experiments
    measured: dict[str, np.ndarray] = {}
    if options.measured is not None:
        from rnagen.tasks.reactivity.measured import measured_profiles

        measured = measured_profiles(options.measured, [t.sequence for t in targets], experiments)
        print(f"{options.measured}: has profiles of {sum(t.sequence in measured for t in targets)} of the RNAs")
    OutputFolder(options.out, options.format).claim(describe_run(targets, options, models))
    fold = sparse_base_pairs if needs_pairs(networks) else None
    sequences = [target.sequence for target in targets]
    found: list[np.ndarray | None] = [None] * len(targets)
    for n, profile in _progress(
        predict_profiles(networks, sequences, fold, options.batch_size, options.flip), len(targets), "reactivity"
    ):
        if np.isfinite(profile).all():
            found[n] = profile
    done = [(target, profile) for target, profile in zip(targets, found) if profile is not None]
    if done:
        window, table = Window(options.skip_start, options.skip_end), options.out / f"reactivity.{options.format}"
        by_name = {target.name: target.sequence for target, _ in done}
        write_layout(table, by_name, {target.name: profile for target, profile in done}, experiments, window)
        print(f"reactivity of {len(done)} RNAs ({', '.join(experiments)}): {table}")
        if options.figures:
            _draw(done, options, experiments, measured)
    failed = (target for target, profile in zip(targets, found) if profile is None)
    return [InputError("prediction", target.name, "the models gave values that are no numbers") for target in failed]


def _draw(
    profiles: list[tuple["Target", "np.ndarray"]],
    options: ReactivityOptions,
    experiments: tuple[str, ...],
    measured: dict[str, "np.ndarray"],
) -> None:
    import numpy as np

    from rnagen.report.reactivity import figure, mfe_arcs, save_figure
    from rnagen.tasks.reactivity.layout import Window

    window = Window(options.skip_start, options.skip_end)
    for target, profile in _progress(profiles, len(profiles), "figures"):
        length = len(target.sequence)
        visible = np.where(window.observed(np.array([length]), length)[0, :, None], profile, np.float32(np.nan))
        arcs, dots = mfe_arcs(target.sequence), measured.get(target.sequence)
        sampled = figure(target.name, target.sequence, visible, experiments, arcs, dots)
        save_figure(sampled, options.out / f"{target.name}.svg")
    print(f"figures: {options.out}/<name>.svg")


def _progress(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        yield from progress.track(items, total, description=title)


def describe_run(
    targets: list["Target"], options: ReactivityOptions, models: list["ReactivityCheckpoint"]
) -> dict[str, Any]:
    """run.json: what makes this run this run, and where its models come from."""
    import hashlib

    import RNA
    import torch

    from rnagen.version import __version__

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
