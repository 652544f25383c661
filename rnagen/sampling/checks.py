"""Which targets are refused before sampling starts."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from rnagen.allatom import can_complete
from rnagen.config.categories import category_number
from rnagen.config.residues import residue_range
from rnagen.config.sampling import SampleConfig
from rnagen.errors import ConfigError, InputError
from rnagen.io.alignment import read_alignment
from rnagen.io.target import Target
from rnagen.memory import available_memory
from rnagen.messages import one_line
from rnagen.sampling.ensemble import Models
from rnagen.sampling.given import beyond_the_end
from rnagen.sampling.memory import LESS_MEMORY, estimated_memory
from rnagen.secondary.alignments import alignment_name, find_alignments
from rnagen.secondary.native import CANONICAL
from rnagen.structure import ALIGNED, BEADS

MOST_NAMED = 10
"""Residues that a message lists."""
Checked = tuple[list[Target], list[InputError]]
"""Targets that can be sampled, and an error for each of the others."""


def check_targets(targets: Sequence[Target], config: SampleConfig, models: Models, asked: Collection[str]) -> Checked:
    """Add alignments and labels, and refuse what the model cannot be conditioned on and what cannot be folded.

    Args:
        targets: all of a run.
        config: its options.
        models: what it samples with.
        asked: names of the targets whose secondary structure was asked for; that of others stood beside the sequence.

    Raises:
        ConfigError: alignments or a label for a model that reads none, or a label that it does not know; or complete
            nucleotides of a model that lacks the beads for them.
        InputError: the folder of alignments is missing, or two files have one name.
    """
    good = _with_labels(targets, config, models)
    if config.atoms == "all":
        good = _complete(good, models.structure.config.model.atoms)
    errors: list[InputError] = []
    if config.alignments is not None:
        good, errors = _with_alignments(good, config.alignments, models)
    good, short = _fixed(good, config)
    good, unfit = _several_strands(good, config, models)
    good, refused = _secondary_structures(good, models, asked)
    good, unfoldable = _folding(good, config)
    return good, errors + short + unfit + refused + unfoldable


def needed_memory(target: Target, config: SampleConfig, models: Sequence[Models]) -> int:
    """Bytes that sampling a target takes at most, beside what the models take: one works after the other."""
    needs = []
    for one in models:
        checkpoint = one.structure
        encoder = None if checkpoint.encoder is None else checkpoint.encoder.config
        head = None if one.confidence is None else one.confidence.head.config
        length, total = len(target.sequence), -(-config.plan.total // len(models))
        shape, atoms = checkpoint.config.model, config.atoms
        needs.append(estimated_memory(length, total, shape, config.sampler, encoder, head, atoms))
    return max(needs)


def check_memory(targets: Sequence[Target], config: SampleConfig, models: Sequence[Models]) -> Checked:
    """Refuse what the memory cannot hold now; workers of this machine share it."""
    free, workers = available_memory(), config.local_workers or 1
    free //= workers
    good, errors = [], []
    for target in targets:
        need = needed_memory(target, config, models)
        if need <= free:
            good.append(target)
            continue
        reason = (
            f"{len(target.sequence)} nt need about {need / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free"
            f"{f' for each of {workers} workers' if workers > 1 else ''}: {LESS_MEMORY}"
        )
        errors.append(InputError("memory", target.name, reason))
    return good, errors


def _complete(targets: list[Target], atoms: tuple[str, ...]) -> list[Target]:
    """The targets with a warning where a base is unknown, whose atoms therefore are too."""
    if not can_complete(atoms):
        raise ConfigError(
            f"atoms: this model generates {', '.join(atoms)} alone, and complete nucleotides need {', '.join(BEADS)}: "
            "choose --atoms beads"
        )
    found = []
    for target in targets:
        unknown = [number for number, base in enumerate(target.sequence, 1) if base == "N"]
        if unknown:
            more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
            listed = ", ".join(map(str, unknown[:MOST_NAMED])) + more
            warning = f"residues of unknown base (N) get backbone and sugar alone: {listed}"
            target = replace(target, warnings=(*target.warnings, warning))
        found.append(target)
    return found


def _fixed(targets: list[Target], config: SampleConfig) -> Checked:
    """Refuse the RNAs that end before the part that is fixed does."""
    if config.known.fix is None:
        return targets, []
    residues, path = config.known.fix
    why = [beyond_the_end(residue_range(residues), len(target.sequence)) for target in targets]
    errors = [InputError(path, target.name, reason) for target, reason in zip(targets, why) if reason]
    return [target for target, reason in zip(targets, why) if not reason], errors


def _with_labels(targets: Sequence[Target], config: SampleConfig, models: Models) -> list[Target]:
    """The targets with the label of the options, unless they have their own."""
    categories = models.structure.config.model.categories
    needs_label = bool(categories) and config.sampler.cfg_scale != 1 and models.guide is None
    labelled = [replace(one, label=config.label) if one.label is None else one for one in targets]
    for target in labelled:
        category_number(target.label, categories)
        if needs_label and target.label is None:
            raise ConfigError(
                f"cfg_scale: guides this model by a label, and {one_line(target.name, 60)} has none (--label)"
            )
    return labelled


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


def _several_strands(targets: list[Target], config: SampleConfig, models: Models) -> Checked:
    """Refuse for RNAs of several strands what is made for chains."""
    from rnagen.secondary.vienna import MAXIMUM_LENGTH

    good, errors = [], []
    for target in targets:
        draft = models.known is not None and models.known.draft_of(target) is not None
        if not target.strands:
            reason = None
        elif target.alignment is not None:
            reason = "alignments are read for RNAs of one strand: sample it without --alignments"
        elif config.known.files:
            reason = "templates of files are read for RNAs of one strand: sample it without --templates FILE"
        elif draft:
            reason = "drafts are read for RNAs of one strand: sample it without --draft"
        elif config.sampler.secondary_structures == "sampled" and target.secondary_structure is None:
            reason = (
                "secondary structures are sampled for RNAs of one strand: "
                "give one, or choose --secondary-structures free"
            )
        elif len(target.sequence) > MAXIMUM_LENGTH:
            reason = f"base pairs of several strands are predicted for at most {MAXIMUM_LENGTH} nt: leave some out"
        else:
            reason = None
        if reason is None:
            good.append(target)
        else:
            errors.append(InputError("inputs", target.name, f"{len(target.strands)} strands; {reason}"))
    return good, errors


def _secondary_structures(targets: list[Target], models: Models, asked: Collection[str]) -> Checked:
    """A structure that was asked for is refused by a model that cannot follow it; one that stands in a file beside the
    sequence is left out, with a warning."""
    if models.structure.config.model.secondary_structure:
        return [_with_odd_pairs(target) for target in targets], []
    good, errors = [], []
    for target in targets:
        if target.secondary_structure is None:
            good.append(target)
        elif target.name not in asked:
            warning = "its secondary structure is not used: this model cannot be conditioned on one"
            good.append(replace(target, secondary_structure=None, warnings=(*target.warnings, warning)))
        else:
            reason = "this model cannot be conditioned on a secondary structure: remove it, or choose another --ckpt"
            errors.append(InputError("inputs", target.name, reason))
    return good, errors


def _with_odd_pairs(target: Target) -> Target:
    """The target with a warning where its secondary structure pairs bases that stand in no helix."""
    table = target.pair_table
    if table is None:
        return target
    pairs = [(i, int(j)) for i, j in enumerate(table) if j > i]
    odd = [(i, j) for i, j in pairs if target.sequence[i] + target.sequence[j] not in CANONICAL]
    if not odd:
        return target
    listed = ", ".join(f"{target.sequence[i]}{i + 1}-{target.sequence[j]}{j + 1}" for i, j in odd[:MOST_NAMED])
    more = f" and {len(odd) - MOST_NAMED} more" if len(odd) > MOST_NAMED else ""
    warning = f"pairs of its secondary structure that are neither Watson-Crick nor GU: {listed}{more}"
    return replace(target, warnings=(*target.warnings, warning))


def _folding(targets: list[Target], config: SampleConfig) -> Checked:
    """Refuse what is longer than ViennaRNA's part in it allows."""
    # A machine that only trains has no ViennaRNA.
    from rnagen.secondary.local import LONGEST
    from rnagen.secondary.vienna import MAXIMUM_LENGTH

    good, errors = [], []
    for target in targets:
        length, reason = len(target.sequence), None
        if length > LONGEST:
            reason = f"base pairs are predicted for at most {LONGEST} nt: cut the sequence into domains"
        elif length > MAXIMUM_LENGTH and target.alignment is not None:
            reason = f"alignments are read for at most {MAXIMUM_LENGTH} nt: sample without --alignments"
        elif (
            length > MAXIMUM_LENGTH
            and config.sampler.secondary_structures == "sampled"
            and target.secondary_structure is None
        ):
            reason = (
                f"secondary structures are sampled for at most {MAXIMUM_LENGTH} nt: "
                "give one, or choose --secondary-structures free"
            )
        elif (
            target.pair_matrix is not None
            and config.sampler.secondary_structures == "sampled"
            and target.secondary_structure is None
        ):
            reason = (
                "secondary structures are sampled by ViennaRNA, not from a matrix of base-pair probabilities: "
                "leave the matrix out, or choose --secondary-structures free"
            )
        if reason is None:
            good.append(target)
        else:
            errors.append(InputError("inputs", target.name, f"{length} nt; {reason}"))
    return good, errors
