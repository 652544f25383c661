"""Which targets are refused before sampling starts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rnagen.config.sampling import SampleConfig
from rnagen.errors import ConfigError, InputError
from rnagen.io.alignment import read_alignment
from rnagen.io.target import Target
from rnagen.memory import available_memory
from rnagen.sampling.ensemble import Models
from rnagen.sampling.memory import estimated_memory
from rnagen.secondary.alignments import alignment_name, find_alignments
from rnagen.structure import ALIGNED

Checked = tuple[list[Target], list[InputError]]
"""Targets that can be sampled, and an error for each of the others."""


def check_targets(targets: Sequence[Target], config: SampleConfig, models: Models) -> Checked:
    """Add alignments, and refuse what the model cannot be conditioned on or the memory cannot hold.

    Raises:
        ConfigError: alignments for a model that reads none.
        InputError: the folder of alignments is missing, or two files have one name.
    """
    good: list[Target] = list(targets)
    errors: list[InputError] = []
    if config.alignments is not None:
        good, errors = _with_alignments(good, config.alignments, models)
    for check in (_secondary_structures, _memory):
        good, refused = check(good, config, models)
        errors += refused
    return good, errors


def _with_alignments(targets: list[Target], folder: Path, models: Models) -> Checked:
    if not set(ALIGNED) & set(models.structure.config.model.pair_features):
        raise ConfigError(
            "alignments: this model cannot read them (it was trained without --pair-features consensus covariation)"
        )
    files = find_alignments(folder)
    good, errors = [], []
    for target in targets:
        file = files.get(alignment_name(target.name))
        try:
            if file is not None:
                read_alignment(file, target.sequence)
            good.append(replace(target, alignment=file))
        except InputError as error:
            errors.append(InputError(str(file), target.name, error.reason))
    return good, errors


def _secondary_structures(targets: list[Target], config: SampleConfig, models: Models) -> Checked:
    if models.structure.config.model.secondary_structure:
        return targets, []
    reason = "this model cannot be conditioned on a secondary structure: remove it, or choose another --ckpt"
    refused = [target for target in targets if target.secondary_structure is not None]
    return [target for target in targets if target not in refused], [
        InputError("inputs", target.name, reason) for target in refused
    ]


def _memory(targets: list[Target], config: SampleConfig, models: Models) -> Checked:
    free = available_memory()
    checkpoint = models.structure
    encoder = None if checkpoint.encoder is None else checkpoint.encoder.config
    head = None if models.confidence is None else models.confidence.head.config
    good, errors = [], []
    for target in targets:
        length = len(target.sequence)
        need = estimated_memory(length, config.plan.total, checkpoint.config.model, config.sampler, encoder, head)
        if need <= free:
            good.append(target)
            continue
        reason = (
            f"{length} nt need about {need / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free: "
            f"lower --chunk (conformers at once), cut the sequence into domains, or use a larger machine"
        )
        errors.append(InputError("memory", target.name, reason))
    return good, errors
