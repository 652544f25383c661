"""A sampling run: targets in, ensembles out, with or without a folder that they are written to."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rnagen.config.sampling import SampleConfig
from rnagen.devices import choose_device
from rnagen.errors import InputError
from rnagen.io.target import Target
from rnagen.sampling.checks import check_targets
from rnagen.sampling.conformers import SamplingError
from rnagen.sampling.ensemble import Ensemble, Models, draw_ensemble
from rnagen.sampling.inputs import gather_targets, unique_targets
from rnagen.sampling.outputs import RESERVED_NAMES, OutputFolder, describe_run, summarize
from rnagen.sampling.solver import check_sampling


class SamplingRun:
    """Everything that is settled before sampling starts.

    Attributes:
        targets: in order; those that can be sampled.
        failures: an error for each record that cannot be used; sampling adds its own.
        models: the loaded checkpoints; None where no target is left.

    Args:
        config: all options.
        targets: instead of the inputs that the options name.

    Raises:
        InputError: an input or checkpoint cannot be used.
        ConfigError: options that this checkpoint cannot be sampled with.
    """

    def __init__(self, config: SampleConfig, targets: Sequence[Target] | None = None) -> None:
        self.config = config
        if targets is None:
            files = [path for path in (config.fasta, config.csv) if path is not None]
            found = gather_targets(files, config.sequence, config.name, config.structure, RESERVED_NAMES)
        else:
            found = unique_targets(targets, reserved=RESERVED_NAMES)
        self.targets, self.failures = found
        self.models: Models | None = None
        if not self.targets:
            return
        self.models = Models.load(config.ckpt, config.guide_ckpt, choose_device(config.device))
        guide = None if self.models.guide is None else self.models.guide.config
        check_sampling(self.models.structure.config, config.sampler, guide)
        self.targets, refused = check_targets(self.targets, config, self.models)
        self.failures += refused

    def open(self, out: Path) -> OutputFolder:
        """Claim the folder for this run, or resume it.

        Raises:
            ConfigError: it belongs to another run, or holds something else.
        """
        assert self.models is not None
        folder = OutputFolder(out, self.config.format)
        folder.claim(describe_run(self.targets, self.config, self.models))
        return folder

    def draw(self, targets: Sequence[Target], folder: OutputFolder | None = None) -> Iterator[Ensemble | InputError]:
        """The ensemble of each target, written to the folder if one is given; or the reason for its failure. A target
        that fails does not stop the others."""
        assert self.models is not None
        plan = self.config.plan
        for target in targets:
            try:
                ensemble = draw_ensemble(self.models, target, plan)
                if folder is not None:
                    b_factors = None if ensemble.confidence is None else 100 * ensemble.confidence.lddt
                    folder.write_target(ensemble.structure, summarize(ensemble, plan), b_factors)
                yield ensemble
            except (SamplingError, InputError) as error:
                failure = InputError("sampling", target.name, str(error))
                self.failures.append(failure)
                yield failure
