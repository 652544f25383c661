"""A sampling run: targets in, ensembles out, with or without a folder that they are written to."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rnagen.config.sampling import SampleConfig, SamplingPlan
from rnagen.devices import choose_device
from rnagen.errors import ConfigError, InputError
from rnagen.io.target import Target
from rnagen.memory import resident_memory
from rnagen.progress import Advance, Share, ignore
from rnagen.sampling.attempt import Result, attempt
from rnagen.sampling.checks import check_memory, check_targets, needed_memory
from rnagen.sampling.claim import claimed, read_description
from rnagen.sampling.description import describe_run, joined
from rnagen.sampling.ensemble import Ensemble, Models
from rnagen.sampling.inputs import gather_targets, unique_targets
from rnagen.sampling.outputs import OutputFolder, clear_run, summarize
from rnagen.sampling.ranking import order_of, ranked
from rnagen.sampling.sharing import draw_shared, load_models
from rnagen.sampling.solver import check_sampling, expected_evaluations
from rnagen.sampling.structures import WithStructures, named_structure, with_structures
from rnagen.sampling.templates import KnownStructures
from rnagen.secondary.interactions import check_annotator

if TYPE_CHECKING:
    from rnagen.sampling.cluster import Workers


class SamplingRun:
    """Everything that is settled before sampling starts.

    Attributes:
        targets: in order; those that can be sampled.
        failures: an error for each record that cannot be used; sampling adds its own.
        models: the loaded checkpoints, in their order; empty where no target is left.
        structures: what the option `structure` gives for them.

    Args:
        config: all options.
        targets: instead of the inputs that the options name.

    Raises:
        InputError: an input or checkpoint cannot be used.
        ConfigError: options that this checkpoint cannot be sampled with.
    """

    def __init__(self, config: SampleConfig, targets: Sequence[Target] | None = None) -> None:
        self.config = config
        self._workers: Workers | None = None
        if config.cluster is not None:
            from rnagen.sampling.cluster import check_cluster

            check_cluster()
        if config.interactions:
            check_annotator()
        place = named_structure(config.structure)
        if targets is None:
            files = [path for path in (config.fasta, config.csv) if path is not None]
            structure = None if place is not None else config.structure
            found = gather_targets(files, config.sequence, config.name, structure)
        else:
            found = unique_targets(targets)
        self.targets, self.failures = found
        self.structures = self._with_structures(place, targets is not None)
        self.models: list[Models] = []
        if not self.targets:
            return
        # Workers have devices of their own, which those of other machines know.
        self.models = load_models(config, "cpu" if config.cluster is not None else choose_device(config.device))
        asked = {one.name for one in targets or ()} | self.structures.conditioned
        self._all = self.targets
        for one in self.models:
            check_sampling(one.structure.config, config.sampler, None if one.guide is None else one.guide.config)
            self._all, refused = check_targets(self._all, config, one, asked)
            self.failures += refused
        # A worker on another machine knows how much memory it has.
        elsewhere = config.cluster is not None and config.local_workers is None
        self.targets, self._too_large = (self._all, []) if elsewhere else check_memory(self._all, config, self.models)
        self.failures += self._too_large

    @property
    def known(self) -> KnownStructures | None:
        """The known structures of all checkpoints."""
        return self.models[0].known if self.models else None

    def _with_structures(self, place: Path | None, are_given: bool) -> WithStructures:
        """What the option `structure` gives for the targets, which get it."""
        config = self.config
        owner = config.name if config.sequence is not None and not are_given else None
        if place is None:
            if config.structure is not None and owner is None:
                raise ConfigError(
                    "structure: belongs to --sequence, which is missing; for other RNAs give a file, or a folder of "
                    "files named by target"
                )
            asked = [] if config.structure is None else [owner]
            return WithStructures(self.targets, frozenset(filter(None, asked)))
        if not self.targets:
            return WithStructures([])
        found = with_structures(self.targets, place, owner)
        self.targets, self.failures = found.targets, self.failures + found.failures
        return found

    @contextmanager
    def open(self, out: Path) -> Iterator[OutputFolder]:
        """Claim the folder for this run until the block ends: a new one, or one of the same options, which is resumed
        or added to; with `overwrite`, of any run.

        Raises:
            ConfigError: it has a run of other options, other RNAs of these names or something else, or another process
                writes to it.
            InputError: its run.json is damaged.
            OSError: the folder cannot be written.
        """
        # Of all targets: how much memory is free changes neither the run nor the name of a folder.
        run = describe_run(self._all, self.config, self.models)
        with ExitStack() as stack:
            stack.enter_context(self._connected())
            if self.config.overwrite:
                clear_run(out, run)
            stack.enter_context(claimed(out, run, partial(joined, out, self._all, run)))
            places = {entry["name"]: entry["folder"] for entry in read_description(out)["targets"]}
            folder = OutputFolder(out, self.config.format, places)
            folder.remove_marks_except(self.names)
            there = [error for error in self._too_large if self._has_all(folder, str(error.record))]
            self.failures = [error for error in self.failures if error not in there]
            yield folder

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """The workers of a cluster until the block ends, if the options name one and they are not there already."""
        if self.config.cluster is None or self._workers is not None:
            yield
            return
        assert self.models is not None
        from rnagen.sampling.cluster import connected

        with connected(self.config, self.models) as self._workers:
            try:
                yield
            finally:
                self._workers = None

    def _has_all(self, folder: OutputFolder, name: str) -> bool:
        return folder.conformers(name) >= self.config.n

    @property
    def names(self) -> list[str]:
        """Of all targets, in the order of the input; those that memory does not suffice for too."""
        return [target.name for target in self._all]

    def finished(self, folder: OutputFolder) -> list[Target]:
        """The targets of which the folder has all conformers that are wanted, in the order of the input."""
        return [target for target in self._all if self._has_all(folder, target.name)]

    def waiting(self, folder: OutputFolder | None = None) -> list[Target]:
        """The targets that are still to be sampled, in the order in which they are.

        Those that need most memory come last, and after them those that were in work when a run was killed: if they
        get this one killed too, the others are there.
        """
        interrupted = set() if folder is None else folder.interrupted(self.config.n)
        return sorted(
            (target for target in self.targets if folder is None or not self._has_all(folder, target.name)),
            key=lambda target: (target.name in interrupted, needed_memory(target, self.config, self.models)),
        )

    def expected_memory(self, waiting: Sequence[Target]) -> str:
        """The most memory that this process will take for those targets, with what it has, as a line."""
        assert self.models is not None
        sizes = [needed_memory(target, self.config, self.models) for target in waiting]
        need, length = max(zip(sizes, (len(target.sequence) for target in waiting)))
        return f"memory: about {(resident_memory() + need) / 2**30:.1f} GiB at most, for {length} nt"

    def cost(self, target: Target, folder: OutputFolder | None = None) -> int:
        """Residues of the conformers that are still to be sampled. The time grows a little faster than that."""
        return len(target.sequence) * (self.config.plan.total - self._first(target, folder))

    def _first(self, target: Target, folder: OutputFolder | None) -> int:
        """Conformers that are there and stay: none where they depend on how many there are."""
        return folder.conformers(target.name) if folder is not None and self._independent else 0

    @property
    def _independent(self) -> bool:
        return self.config.plan.independent and self.config.known.start is None

    def draw(self, folder: OutputFolder | None = None, advance: Advance = ignore) -> Iterator[tuple[Target, Result]]:
        """Each of the targets that are waiting with its result, written to the folder if one is given; at the end, the
        folder's submission table. A target that fails does not stop the others.

        Args:
            folder: claimed by `open`.
            advance: of a bar up to the sum of the `cost` of the targets that are waiting.

        Raises:
            OSError: the folder cannot be written or the disk is full.
        """
        with self._connected():
            yield from (self._here if self._workers is None else self._elsewhere)(folder, advance)
        done, n = ([], 0) if folder is None else folder.submitted()
        if folder is not None and done:
            folder.write_ranking([name for name, _ in done])
            folder.write_submission(done, n)

    def _here(self, folder: OutputFolder | None, advance: Advance) -> Iterator[tuple[Target, Result]]:
        """Sampled in this process."""
        for target in self.waiting(folder):
            with nullcontext() if folder is None else folder.in_work(target.name):
                what, plan = f"{target.name} ({len(target.sequence)} nt)", self._plan(target, folder)
                advance(0, f"base pairs, templates and trunk of {what}")
                steps = (plan.total - plan.first) * expected_evaluations(self.config.sampler)
                share = Share(advance, self.cost(target, folder), steps, what)
                result = attempt(target, partial(draw_shared, self.models, target, plan, share))
                share.finish()
                result = self._kept(target, result, folder)
            if isinstance(result, InputError):
                self.failures.append(result)
            yield target, result

    def _elsewhere(self, folder: OutputFolder | None, advance: Advance) -> Iterator[tuple[Target, Result]]:
        """Sampled by the workers of a cluster, written in this process."""
        assert self._workers is not None
        waiting, in_work = self.waiting(folder), dict[str, ExitStack]()
        failures = dict[str, InputError]()

        def works() -> Iterator[tuple[Target, SamplingPlan]]:
            for target in waiting:
                in_work[target.name] = ExitStack()
                if folder is not None:
                    in_work[target.name].enter_context(folder.in_work(target.name))
                yield target, self._plan(target, folder)

        try:
            for target, result in self._workers.draw(works()):
                cost = self.cost(target, folder)
                with in_work.pop(target.name):
                    result = self._kept(target, result, folder)
                if isinstance(result, InputError):
                    failures[target.name] = result
                advance(cost, target.name)
                yield target, result
        finally:
            for left in in_work.values():
                left.close()
            # In the order in which one process meets them.
            self.failures += [failures[target.name] for target in waiting if target.name in failures]

    def _plan(self, target: Target, folder: OutputFolder | None) -> SamplingPlan:
        """What is still to be sampled of a target."""
        return replace(self.config.plan, first=self._first(target, folder))

    def _kept(self, target: Target, result: Result, folder: OutputFolder | None) -> Result:
        """The result in its order, written if there is a folder."""
        if isinstance(result, InputError):
            return result
        return attempt(target, partial(self._written, target, result, folder))

    def _written(self, target: Target, new: Ensemble, folder: OutputFolder | None) -> Ensemble:
        """The new conformers with those that are there, in their order, superposed, written."""
        if folder is None:
            return ranked(new)
        first = self._first(target, folder)
        together = folder.read_sampled(target.name, target.sequence).extended(new) if first else new
        together = together.of(order_of(together))
        ensemble = together.superposed()
        summary = summarize(ensemble, self.config.plan, target, self.config.format)
        folder.write_target(ensemble.structure, summary, ensemble.quality, together.coords)
        return ensemble
