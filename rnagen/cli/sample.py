"""`rnagen sample` and `sample.py`: targets in, a folder of conformers and a submission out."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnagen.cli.options import guarded, parse
from rnagen.config.files import flatten, to_plain
from rnagen.config.sampling import SampleConfig
from rnagen.errors import ConfigError, InputError

if TYPE_CHECKING:
    from rnagen.io.target import Target
    from rnagen.sampling.candidates import Kept, Models

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples.fasta"
INPUTS = {"sequence", "structure", "name", "fasta", "csv", "alignments"}
NOT_IDENTITY = {"out", "device", "chunk", "ckpt", "guide_ckpt"} | INPUTS
"""Options that do not change what is written, or that the identity of a run holds in a better form."""


def main(arguments: Sequence[str]) -> int:
    """Parse, then sample; torch is imported only then."""
    return guarded(lambda: run(parse(SampleConfig(), arguments, "sample.py")), "sample.py")


def read_inputs(config: SampleConfig) -> tuple[list["Target"], list[InputError]]:
    """Targets of all inputs named, in order, and the records that cannot be used.

    Raises:
        InputError: a file without any record.
    """
    from rnagen.io.fasta import read_targets
    from rnagen.io.target import make_target
    from rnagen.sampling.outputs import RESERVED_NAMES

    targets, errors = [], []
    if config.sequence is not None:
        try:
            targets.append(make_target("--sequence", config.name, config.sequence, config.structure))
        except InputError as error:
            errors.append(error)
    files = [path for path in (config.fasta, config.csv) if path is not None]
    if not files and config.sequence is None:
        files = [EXAMPLES]
    for path in files:
        good, bad = read_targets(path)
        targets += good
        errors += bad
    seen: set[str] = set()
    unique = []
    for target in targets:
        if target.name in seen:
            errors.append(InputError("inputs", target.name, "another target has this name"))
        elif target.name in RESERVED_NAMES:
            errors.append(InputError("inputs", target.name, "this name is taken by a file of the output folder"))
        else:
            unique.append(target)
        seen.add(target.name)
    return unique, errors


def with_alignments(targets: list["Target"], folder: Path, models: "Models") -> tuple[list["Target"], list[InputError]]:
    """Targets with the alignments that the folder has of them, and an error for each whose alignment is none of it.

    Raises:
        ConfigError: the model does not read alignments.
        InputError: there is no such folder, or two files have one name.
    """
    from rnagen.io.alignment import read_alignment
    from rnagen.secondary.alignments import alignment_name, find_alignments
    from rnagen.structure import ALIGNED

    if not set(ALIGNED) & set(models.structure.config.model.pair_features):
        raise ConfigError(
            "alignments: this model was trained without --pair-features consensus covariation, and reads none"
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
    print(f"{sum(target.alignment is not None for target in good)} of {len(targets)} targets have an alignment")
    return good, errors


def refuse_secondary_structures(
    targets: list["Target"], config: SampleConfig, models: "Models"
) -> tuple[list["Target"], list[InputError]]:
    """Targets without a secondary structure if the model cannot be told one, and an error for each of the others."""
    if models.structure.config.model.secondary_structure:
        return targets, []
    reason = "has a secondary structure, and this model cannot be told one: take it away, or choose another --ckpt"
    errors = [InputError("inputs", target.name, reason) for target in targets if target.secondary_structure is not None]
    return [target for target in targets if target.secondary_structure is None], errors


def refuse_too_long(
    targets: list["Target"], config: SampleConfig, models: "Models"
) -> tuple[list["Target"], list[InputError]]:
    """Targets that fit into memory, and an error with the estimate for each that does not."""
    from rnagen.sampling.ensemble import available_memory, estimated_memory

    free = available_memory()
    checkpoint = models.structure
    encoder = None if checkpoint.encoder is None else checkpoint.encoder.config
    head = None if models.confidence is None else models.confidence.head.config
    good, errors = [], []
    for target in targets:
        length, sampled = len(target.sequence), config.candidates or config.n
        need = estimated_memory(length, sampled, checkpoint.config.model, config.sampler, encoder, head)
        if need <= free:
            good.append(target)
            continue
        reason = (
            f"{length} nt need about {need / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free: "
            f"lower --chunk (conformers at once), cut the sequence into domains, or use a larger machine"
        )
        errors.append(InputError("memory", target.name, reason))
    return good, errors


def run(config: SampleConfig) -> int:
    """Sample every target. 0: all done; 1: some records failed; 2: nothing could be done.

    Raises:
        InputError, ConfigError: nothing was or will be written.
    """
    targets, errors = read_inputs(config)
    if targets:
        from rnagen.checkpoints.confidence import find_confidence
        from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
        from rnagen.sampling.candidates import Models
        from rnagen.sampling.ensemble import check_sampling

        device = choose_device(config.device)
        checkpoint = load_checkpoint(config.ckpt or DEFAULT_CHECKPOINT, device)
        guide = load_checkpoint(config.guide_ckpt, device) if config.guide_ckpt else None
        check_sampling(checkpoint.config, config.sampler, guide.config if guide else None)
        models = Models(checkpoint, find_confidence(checkpoint, device), guide)
        if config.alignments is not None:
            targets, unfit = with_alignments(targets, config.alignments, models)
            errors += unfit
        for refuse in (refuse_secondary_structures, refuse_too_long):
            targets, refused = refuse(targets, config, models)
            errors += refused
    for target in targets:
        for warning in target.warnings:
            print(f"warning: {target.name}: {warning}", file=sys.stderr)
    if not targets:
        for error in errors:
            print(f"sample.py: {error}", file=sys.stderr)
        return 2
    errors += _sample_all(targets, config, models)
    if errors:
        print(f"{len(errors)} records failed:", file=sys.stderr)
        for error in errors:
            print(f"  {error}", file=sys.stderr)
        return 1
    return 0


def _sample_all(targets: list["Target"], config: SampleConfig, models: "Models") -> list[InputError]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from rnagen.sampling.candidates import draw_kept
    from rnagen.sampling.ensemble import SamplingError
    from rnagen.sampling.outputs import OutputFolder

    folder = OutputFolder(config.out, config.format)
    folder.claim(describe_run(targets, config, models))
    waiting = [target for target in targets if not folder.finished(target.name)]
    if len(waiting) < len(targets):
        print(f"{len(targets) - len(waiting)} of {len(targets)} targets are there already")
    errors, evaluations = [], 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        # The cost grows a little faster than with the length.
        task = progress.add_task("sampling", total=sum(len(target.sequence) for target in waiting))
        for target in waiting:
            progress.update(task, description=f"{target.name} ({len(target.sequence)} nt)")
            try:
                selected = draw_kept(models, target, config.n, config.candidates, config.sampler, config.seed)
                evaluations = max(evaluations, selected.ensemble.evaluations)
                b_factors = None if selected.confidence is None else 100 * selected.confidence.lddt
                folder.write_target(selected.ensemble.structure, summarize(selected, config), b_factors)
            except (SamplingError, InputError) as error:
                errors.append(InputError("sampling", target.name, str(error)))
            progress.advance(task, len(target.sequence))
    done = [(target.name, target.sequence) for target in targets if folder.finished(target.name)]
    if done:
        submission = folder.write_submission(done, config.n)
        print(f"{len(done)} RNAs × {config.n} conformers: {config.out}/<name>/conformer_*.{config.format}")
        if evaluations:
            print(f"{config.sampler.sampling_method}: {evaluations} evaluations of the model per conformer")
        print(f"submission table: {submission}")
    return errors


def choose_device(name: str) -> str:
    """The device named, or the best there is for `auto`.

    Raises:
        ConfigError: there is no such device here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(name.split(":")[0], False):
        raise ConfigError(f"device: {name!r} is not available here")
    return name


def describe_run(targets: list["Target"], config: SampleConfig, models: "Models") -> dict[str, Any]:
    """run.json: what makes this run this run, and where its model comes from."""
    import hashlib

    import torch

    from rnagen.io.files import hash_files
    from rnagen.version import __version__

    checkpoint, confidence, guide = models.structure, models.confidence, models.guide
    records = "".join(f">{target.name}\n{target.sequence}\n{target.secondary_structure or ''}" for target in targets)
    records += "".join(hash_files([target.alignment]) for target in targets if target.alignment is not None)
    options = {name: value for name, value in to_plain(config).items() if name not in NOT_IDENTITY}
    return {
        "identity": {
            **options,
            "targets": len(targets),
            "targets_sha256": hashlib.sha256(records.encode()).hexdigest(),
            "checkpoint_sha256": checkpoint.fingerprint,
            "guide_sha256": guide.fingerprint if guide else None,
            "confidence_sha256": confidence.fingerprint if confidence else None,
        },
        "checkpoint": {
            "file": checkpoint.path.name,
            "cutoff": checkpoint.metadata["cutoff"],
            "parameters": checkpoint.model.num_parameters,
        },
        "atoms": list(checkpoint.config.model.atoms),
        "versions": {"rnagen": __version__, "torch": torch.__version__},
    }


def summarize(selected: "Kept", config: SampleConfig) -> dict[str, Any]:
    """summary.json of one target: options, geometry of the conformers, confidence in them, timing."""
    from rnagen.metrics import conformer_geometry

    ensemble, confidence = selected.ensemble, selected.confidence
    structure = ensemble.structure
    summary = {
        "name": structure.name,
        "sequence": structure.sequence,
        "length": len(structure),
        "seed": config.seed,
        "options": flatten(config.sampler),
        "evaluations": ensemble.evaluations,
        "redrawn": ensemble.redrawn,
        "geometry": conformer_geometry(structure),
    }
    if selected.best_first is not None:
        by = "clusters" if confidence is None else "confidence"
        summary["selection"] = {
            "candidates": config.candidates,
            "by": by,
            "numbers": selected.numbers,
            "best_first": selected.best_first,
        }
    if confidence is not None:
        summary["confidence"] = {
            "tm": [round(value, 4) for value in confidence.tm.tolist()],
            "lddt": [round(value, 4) for value in confidence.lddt.mean(1).tolist()],
            "lddt_per_residue": [[round(value, 3) for value in row] for row in confidence.lddt.tolist()],
        }
    return {**summary, "seconds": round(ensemble.seconds, 3)}
