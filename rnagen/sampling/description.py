"""run.json of a sampling run: the options that it was made with, and one entry for each of its RNAs."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rnagen.config.files import to_plain
from rnagen.config.report import PAGE
from rnagen.config.sampling import AUTO, NONE, SampleConfig
from rnagen.dates import NO_DATE
from rnagen.errors import ConfigError, InputError
from rnagen.io.files import LOCK, hash_files
from rnagen.io.folders import folder_names
from rnagen.io.target import Target
from rnagen.messages import quoted
from rnagen.sampling.claim import (
    RANKING,
    RUN,
    SUBMISSION,
    SUMMARY,
    any_finished,
    refuse_difference,
    refuse_other_task,
    refuse_strange_places,
)
from rnagen.sampling.ensemble import Models
from rnagen.sampling.sharing import names_of
from rnagen.strands import with_separators
from rnagen.structure import HEAVY_ATOMS
from rnagen.version import __version__

RESERVED_NAMES = (RUN, SUBMISSION, RANKING, PAGE, LOCK, SUMMARY)
"""Names that no target's folder can have."""
REMEDY = "choose another --out, or replace that run with --overwrite"
NOT_IDENTITY = {
    "out",
    "overwrite",
    "device",
    "cluster",
    "cache",
    "quiet",
    "report",
    "chunk",
    "ckpt",
    "guide_ckpt",
    "n",
} | {
    *(
        "sequence",
        "structure",
        "name",
        "fasta",
        "csv",
        "alignments",
        "label",
        "template_library",
        "draft",
        "start",
        "end",
    )
}
"""Options that do not change a conformer, or that run.json holds in a better form."""
FORMER_IDENTITY = {"n", "targets", "targets_sha256"}
"""What version 0.1.0 wrote in place of one entry per RNA."""
EARLIER_IDENTITY = {"atoms": "beads", "restraints": False, "template_use": "both", "interactions": False}
"""What stands for the options that version 0.1.0 and its successors did not have."""
EACH_ITS_DATE = "of each RNA"
"""What stands for the date of templates where the options name none."""
PARTS = {
    "sequence": "sequence",
    "release_date": "release date",
    "secondary_structure": "secondary structure",
    "pair_probabilities_sha256": "base-pair probabilities",
    "alignment_sha256": "alignment",
    "label": "label",
}
"""What an RNA is, beside its name."""
MOST_NAMED = 3
"""RNAs that a message lists."""


def describe_run(targets: Sequence[Target], config: SampleConfig, models: Sequence[Models]) -> dict[str, Any]:
    """run.json of a new folder with these targets."""
    guide, known = models[0].guide, models[0].known
    heads = [one.confidence for one in models]
    folders = folder_names((target.name for target in targets), RESERVED_NAMES)
    return {
        "identity": {
            **{name: value for name, value in to_plain(config).items() if name not in NOT_IDENTITY},
            # What is in the files is hashed; where they lie does not matter.
            "templates": sorted({one if one in (AUTO, NONE) else "files" for one in config.known.templates}),
            "template_date": config.known.template_date or EACH_ITS_DATE if known else "",
            "fix": None if config.known.fix is None else config.known.fix[0],
            "templates_sha256": known.fingerprint if known else None,
            "checkpoints_sha256": [one.structure.fingerprint for one in models],
            "guide_sha256": guide.fingerprint if guide else None,
            "confidence_sha256": [head.fingerprint if head else None for head in heads],
        },
        "checkpoints": [
            {
                "name": name,
                "file": one.structure.path.name,
                "cutoff": one.structure.metadata["cutoff"],
                "parameters": one.structure.model.num_parameters,
            }
            for name, one in zip(names_of(models), models)
        ],
        "atoms": list(HEAVY_ATOMS if config.atoms == "all" else models[0].structure.config.model.atoms),
        "versions": {"rnagen": __version__, "torch": torch.__version__},
        "targets": [_entry(target, folders[target.name]) for target in targets],
    }


def joined(folder: Path, targets: Sequence[Target], run: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The run.json of a folder after targets were added to it, at the end and in their order. A run of which no RNA is
    finished binds nobody to its options: one of other options takes its place.

    Args:
        folder: of the run.
        targets: to be added; those that are there already stay where they are.
        run: `describe_run` of these targets and the present options.
        found: the run.json that is there.

    Raises:
        ConfigError: it is the run of other options; or it has another RNA of the name of a target, or something else in
            the place of one.
        InputError: it is damaged.
    """
    refuse_other_task(folder, found, run)
    if found["identity"] != run["identity"] and not any_finished(folder, found):
        refuse_strange_places(folder, run, found)
        return run
    found = _upgraded(folder, targets, run, found)
    refuse_difference(folder, found, run, REMEDY)
    entries = _entries(folder, found)
    taken = {name: entry["folder"] for name, entry in entries.items()}
    places = folder_names((target.name for target in targets), RESERVED_NAMES, taken)
    conflicts = []
    for target in targets:
        old, new = entries.get(target.name), _entry(target, places[target.name])
        if old is not None and old != new and (folder / old["folder"] / SUMMARY).is_file():
            conflicts.append(_difference(old, new))
        entries[target.name] = new
    if conflicts:
        more = f"; and {len(conflicts) - MOST_NAMED} more" if len(conflicts) > MOST_NAMED else ""
        listed = "; ".join(conflicts[:MOST_NAMED]) + more
        raise ConfigError(f"{folder} has another RNA of the same name: {listed}. Give it another name, {REMEDY}")
    wanted = {**found, "targets": list(entries.values())}
    refuse_strange_places(folder, wanted, found)
    return wanted


def _entry(target: Target, folder: str) -> dict[str, Any]:
    table = target.secondary_structure
    return {
        "name": target.name,
        "folder": folder,
        "sequence": with_separators(target.sequence, target.strands),
        "release_date": target.release_date,
        "secondary_structure": None if table is None else with_separators(table, target.strands),
        "pair_probabilities_sha256": None if target.pair_matrix is None else target.pair_matrix.fingerprint,
        "alignment_sha256": None if target.alignment is None else hash_files([target.alignment]),
        "label": target.label,
    }


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    key = next(key for key in PARTS if old[key] != new[key])
    return f"{new['name']}: {PARTS[key]} {_quoted(old[key])} there, {_quoted(new[key])} now"


def _quoted(value: str | None) -> str:
    return "none" if value is None else quoted(value)


def _upgraded(folder: Path, targets: Sequence[Target], run: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A run.json in the present form. Earlier ones name one checkpoint. That of version 0.1.0 has one hash of all its
    targets: it can only be compared with all of them.

    Raises:
        ConfigError: it is one of version 0.1.0 with other targets.
    """
    missing = {name: value for name, value in EARLIER_IDENTITY.items() if name not in found["identity"]}
    found = {**found, "identity": found["identity"] | missing}
    if "checkpoint_sha256" in found["identity"]:
        identity = {**found["identity"]}
        identity["checkpoints_sha256"] = [identity.pop("checkpoint_sha256")]
        identity["confidence_sha256"] = [identity.get("confidence_sha256")]
        checkpoints = [{"name": Path(one.get("file", "")).stem, **one} for one in [found.get("checkpoint", {})]]
        found = {name: value for name, value in found.items() if name != "checkpoint"}
        found = {**found, "identity": identity, "checkpoints": checkpoints}
    if "targets_sha256" not in found["identity"]:
        return found
    identity = {name: value for name, value in found["identity"].items() if name not in FORMER_IDENTITY}
    upgraded = {**found, "identity": identity, "targets": run["targets"]}
    refuse_difference(folder, upgraded, run, REMEDY)
    if found["identity"]["targets_sha256"] != _former_hash(targets):
        raise ConfigError(
            f"{folder} was written by rnagen 0.1.0, whose folders cannot get other RNAs than they began with: "
            f"repeat the command that it was made with, {REMEDY}"
        )
    return upgraded


def _former_hash(targets: Sequence[Target]) -> str:
    """`targets_sha256` of version 0.1.0."""
    records = "".join(f">{target.name}\n{target.sequence}\n{target.secondary_structure or ''}" for target in targets)
    records += "".join(hash_files([target.alignment]) for target in targets if target.alignment is not None)
    records += "".join(target.pair_matrix.fingerprint for target in targets if target.pair_matrix is not None)
    return hashlib.sha256(records.encode()).hexdigest()


def _entries(folder: Path, found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries of a run.json by name."""
    listed = found.get("targets")
    if isinstance(listed, list):
        # Earlier versions knew neither labels nor templates, nor a matrix of base-pair probabilities.
        added = {"release_date": NO_DATE, "label": None, "pair_probabilities_sha256": None}
        listed = [
            one | {key: one.get(key, added[key]) for key in added} if isinstance(one, dict) else one for one in listed
        ]
    keys = {"name", "folder", *PARTS}
    if not isinstance(listed, list) or not all(isinstance(one, dict) and keys <= one.keys() for one in listed):
        raise InputError(folder / RUN, "targets", f"not a list of RNAs as rnagen writes it; {REMEDY}")
    return {entry["name"]: entry for entry in listed}
