"""`rnagen reactivity`: chemical-mapping reactivity of RNAs as a table and figures; or the check of such a table."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rnagen.caches import cached_in
from rnagen.cli.options import guarded, parse
from rnagen.config.reactivity import ReactivityOptions
from rnagen.devices import choose_device
from rnagen.errors import InputError
from rnagen.messages import number_of
from rnagen.progress import silenced

if TYPE_CHECKING:
    from rnagen.io.target import Target

PROG = "rnagen reactivity"


def main(arguments: Sequence[str]) -> int:
    """Parse, then predict or check; torch is imported only then."""
    return guarded(lambda: run(parse(ReactivityOptions(), arguments, PROG)), PROG)


def run(options: ReactivityOptions) -> int:
    """Predict every RNA, or check a table of them. 0: all done; 1: some records failed; 2: nothing could be done.

    Raises:
        InputError, ConfigError: nothing was or will be written.
    """
    from rnagen.sampling.inputs import gather_targets

    files = [path for path in (options.fasta, options.csv) if path is not None]
    targets, failures = gather_targets(files, options.sequence, options.name)
    for target in targets:
        for warning in target.warnings:
            print(f"warning: {target.name}: {warning}", file=sys.stderr)
    if targets and options.check is None:
        with silenced(options.quiet), cached_in(options.cache):
            targets, failed = _predict(targets, options)
        failures += failed
    elif targets:
        _check(targets, options)
    if failures:
        print(f"{number_of(len(failures), 'record')} failed:", file=sys.stderr)
        for failure in failures:
            print(f"  {failure}", file=sys.stderr)
    return 0 if not failures else 1 if targets else 2


def _check(targets: list["Target"], options: ReactivityOptions) -> None:
    from rnagen.io.reactivity_layout import Window, check_layout

    assert options.check is not None
    sequences = {target.name: target.sequence for target in targets}
    experiments = check_layout(options.check, sequences, (), Window(options.skip_start, options.skip_end))
    print(f"{options.check}: complete and valid for all {len(targets)} RNAs: {', '.join(experiments)}")


def _predict(targets: list["Target"], options: ReactivityOptions) -> tuple[list["Target"], list[InputError]]:
    """The RNAs that were not refused, and an error for each that has no prediction."""
    from rnagen.tasks.reactivity.infer import load_models, refuse_unfit
    from rnagen.tasks.reactivity.outputs import measured_profiles, predict_to_folder

    models = load_models(options.ckpt, choose_device(options.device))
    targets, failures = refuse_unfit(targets, models, options.skip_start + options.skip_end, options.figures)
    if not targets:
        return [], failures
    measured = {}
    if options.measured is not None:
        sequences = [target.sequence for target in targets]
        measured = measured_profiles(options.measured, sequences, models[0].model.experiments)
        print(f"{options.measured}: has profiles of {sum(s in measured for s in sequences)} of the RNAs")
    prediction = predict_to_folder(targets, models, options, measured)
    if prediction.profiles:
        table = f"{options.out}/reactivity.{options.format}"
        print(
            f"reactivity of {number_of(len(prediction.profiles), 'RNA')} ({', '.join(prediction.experiments)}): {table}"
        )
        if options.figures:
            print(f"figures: {options.out}/<name>.svg")
    return targets, failures + prediction.failures
