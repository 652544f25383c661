"""`rnagen sample` and `sample.py`: targets in, a folder of conformers and a submission out."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from rnagen.caches import cached_in
from rnagen.cli.options import guarded, parse, typed
from rnagen.cli.signals import Terminated
from rnagen.config.report import PAGE
from rnagen.config.sampling import SampleConfig
from rnagen.imports import quick_imports
from rnagen.messages import number_of, one_line
from rnagen.progress import silenced

if TYPE_CHECKING:
    from rnagen.sampling.ensemble import Ensemble
    from rnagen.sampling.outputs import OutputFolder
    from rnagen.sampling.run import SamplingRun

PROG = "sample.py"
HELP = {"-h", "--help", "--help-all"}
"""Answered without torch."""
LISTED = 20
"""Conformers whose templates are printed, and RNAs without any."""


def main(arguments: Sequence[str]) -> int:
    """Parse, then sample; torch is imported only then."""

    def command() -> int:
        with nullcontext() if HELP.intersection(arguments) else quick_imports():
            config = parse(SampleConfig(), arguments, PROG)
            importlib.import_module("rnagen.sampling.run")
        return run(config)

    return guarded(command, PROG, go_on="the same command goes on from here")


def run(config: SampleConfig) -> int:
    """Sample every target. 0: all done; 1: some records failed; 2: nothing could be done.

    Raises:
        InputError, ConfigError: nothing was or will be written.
    """
    from rnagen.sampling.run import SamplingRun

    with silenced(config.quiet), cached_in(config.cache):
        return _run(SamplingRun(config), config)


def _run(job: "SamplingRun", config: SampleConfig) -> int:
    for target in job.targets:
        for warning in target.warnings:
            print(f"warning: {target.name}: {warning}", file=sys.stderr)
    if not job.targets:
        for failure in job.failures:
            print(f"{typed(PROG)}: {failure}", file=sys.stderr)
        return 2
    _sample(job, config)
    _print_failures(job)
    return 1 if job.failures else 0


def _print_failures(job: "SamplingRun") -> None:
    if job.failures:
        print(f"{number_of(len(job.failures), 'record')} failed:", file=sys.stderr)
    for failure in job.failures:
        print(f"  {failure}", file=sys.stderr)


def _templates(name: str, ensemble: "Ensemble") -> list[str]:
    """What conformers of an RNA were built on, a line each; with the predicted TM-score where it is the conformer's."""
    from rnagen.sampling.confidence import WHOLE

    return [
        f"{name} {k}: {use.source} {use.name}, {use.release_date or 'undated'}, {use.identity:.0%} identical over "
        f"{use.coverage:.0%}, score {use.score:.2f}"
        + (f", predicted TM-score {use.predicted_tm:.2f}" if use.source in WHOLE else "")
        for k, use in enumerate(ensemble.templates, start=1)
        if use is not None
    ]


@contextmanager
def _counted(job: "SamplingRun", folder: "OutputFolder") -> Iterator[None]:
    """Print how many RNAs are finished, and what failed, when the block is interrupted."""
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        there = len(job.finished(folder))
        print(f"{there} of {number_of(len(job.targets), 'RNA')} finished", file=sys.stderr)
        _print_failures(job)
        raise


def _sample(job: "SamplingRun", config: SampleConfig) -> None:
    from rnagen.progress import progress_bar
    from rnagen.report.page.write import report_of_sampling
    from rnagen.sampling.claim import RANKING, SUBMISSION
    from rnagen.sampling.ensemble import Ensemble
    from rnagen.sampling.overview import table_of

    known = job.known
    with job.open(config.out) as folder:
        if config.alignments is not None:
            aligned = sum(target.alignment is not None for target in job.targets)
            print(f"{aligned} of {len(job.targets)} targets have an alignment")
        if config.structure is not None:
            of_option = job.structures.conditioned | job.structures.matrices
            given = sum(target.name in of_option for target in job.targets)
            print(f"{given} of {len(job.targets)} targets have a structure of --structure")
        if known is None and config.known.searches:
            print("no templates are searched for: they do not have all atoms of this model")
        several = [one_line(target.name, 60) for target in job.targets if target.strands]
        if known is not None and several:
            more = f" and {len(several) - LISTED} more" if len(several) > LISTED else ""
            print(f"RNAs of several strands are built on no template: {', '.join(several[:LISTED])}{more}")
        if known is not None and config.known.draft is not None:
            drafts = sum(known.draft_of(target) is not None for target in job.targets)
            print(f"{drafts} of {len(job.targets)} targets have a draft")
        there, waiting = len(job.finished(folder)), job.waiting(folder)
        interrupted = folder.interrupted(config.n) & {target.name for target in waiting}
        if there:
            print(f"{there} of {len(job.targets)} targets are there already")
        if interrupted:
            print(f"in work when an earlier run was killed, and therefore last: {', '.join(sorted(interrupted))}")
        if waiting:
            print(job.expected_memory(waiting))
        evaluations, lines = 0, dict[str, list[str]]()
        cost = sum(job.cost(target, folder) for target in waiting)
        with _counted(job, folder), progress_bar("sampling", cost) as advance:
            for target, result in job.draw(folder, advance):
                if isinstance(result, Ensemble):
                    evaluations = max(evaluations, result.evaluations)
                    lines[target.name] = _templates(target.name, result)
        done, n = folder.submitted()
        rnas = [folder.finished_rna(target.name) for target in job.finished(folder)]
        built = [line for rna in rnas for line in lines.get(rna.name, [])]
        unwritten = report_of_sampling(config.out) if done and config.report else None
    for unused in [] if known is None else known.warnings:
        print(f"warning: {unused}", file=sys.stderr)
    if not done:
        return
    print(
        f"{number_of(len(done), 'RNA')} × {number_of(n, 'conformer')}: {config.out}/<name>/conformer_*.{config.format}"
    )
    for line in table_of(rnas, config.format, str(config.out / RANKING)) if rnas else []:
        print(f"  {line}")
    if evaluations:
        print(f"{config.sampler.sampling_method}: {evaluations} evaluations of the model per conformer")
    if built:
        whose = " of the RNAs sampled now" if there else ""
        print(f"conformers on templates{whose} (all in the summary.json of their RNAs):")
        for line in built[:LISTED]:
            print(f"  {line}")
        if len(built) > LISTED:
            print(f"  … and {len(built) - LISTED} more")
    print(f"conformers in their order: {config.out / RANKING}")
    print(f"submission table: {config.out / SUBMISSION}")
    if unwritten:
        print(f"warning: {unwritten}", file=sys.stderr)
    elif config.report:
        print(f"page: {config.out / PAGE}")
