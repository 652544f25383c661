"""The RNAs that a checkpoint is measured on: some that it trained on, the validation chains, and CASP15."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnagen.checkpoints.structure import Checkpoint
from rnagen.data.chains import Chains
from rnagen.data.dataset import TrainingData, read_data
from rnagen.data.filters import share_of_clusters, trainable
from rnagen.errors import InputError
from rnagen.evaluation.inputs import read_references
from rnagen.evaluation.scores import LEAKAGE, filter_by_date
from rnagen.structure import RNAStructure

SETS = ("train", "validation", "casp15")
ATOMS = ("C1'",)
SAMPLE_SEED = 0
"""Of the choice of training chains."""

Targets = dict[str, RNAStructure]
"""References by name."""


def target_sets(
    checkpoint: Checkpoint,
    chosen: Sequence[str],
    data: Path,
    splits: Path,
    casp15: Path,
    train_chains: int,
    max_length: int,
) -> tuple[dict[str, Targets], str]:
    """The references of the sets that are asked for, and the fingerprint of the dataset.

    Args:
        checkpoint: the model; its cutoff gates the training chains, and must not be later than what it is tested on.
        chosen: of `SETS`.
        data, splits: as for training.
        casp15: table of labels, with the table of sequences (and dates) beside it.
        train_chains: how many of the chains that it trained on are taken, of as many clusters, of the lengths that the
            validation chains have.
        max_length: residues of the longest chain taken.

    Raises:
        InputError: data cannot be read, a target is older than the cutoff, or the training chains are not those that
            the checkpoint saw.
    """
    found = read_data(data, splits, checkpoint.metadata["cutoff"], ATOMS)
    short = found.val.select((found.val.lengths <= max_length).nonzero()[:, 0].tolist())
    sets: dict[str, Targets] = {}
    if "train" in chosen:
        seen = training_chains(checkpoint, found, data)
        rows = matched_rows(seen.lengths.tolist(), seen.clusters.tolist(), short.lengths.tolist(), train_chains)
        sets["train"] = references(seen.select(rows))
    if "validation" in chosen:
        sets["validation"] = references(short)
    if "casp15" in chosen:
        targets = {name: chains[0] for name, chains in read_references(casp15).chains.items()}
        sets["casp15"] = {name: structure for name, structure in targets.items() if len(structure) <= max_length}
    for name in sets.keys() - {"train"}:
        refuse_seen(checkpoint, sets[name])
    return {name: sets[name] for name in chosen}, found.fingerprint


def training_chains(checkpoint: Checkpoint, sets: TrainingData, data: Path) -> Chains:
    """The chains that a checkpoint trained on, in a dataset that may have been prepared anew since.

    Raises:
        InputError: other data, or other splits: they would give it another number of chains.
    """
    options, chains = checkpoint.config.dataset, checkpoint.metadata["data"]["chains"]
    seen = trainable(sets.train, options.min_length, data)
    seen = share_of_clusters(seen, options.train_share, checkpoint.config.run.seed)
    if len(seen) != chains:
        reason = f"was trained on {chains} chains, here it would be on {len(seen)}: leave train out of --sets"
        raise InputError(checkpoint.path, str(data), reason)
    return seen


def matched_rows(lengths: Sequence[int], clusters: Sequence[int], wanted: Sequence[int], count: int) -> list[int]:
    """`count` chains of different clusters whose lengths are distributed as those wanted, within their limits.

    One chain of each cluster is sampled; then each of `count` lengths, sampled from those wanted, takes the chain that
    is nearest in length, the longest first. All is a function of the arguments.

    Raises:
        InputError: fewer clusters have a chain within the limits.
    """
    rng = np.random.default_rng(SAMPLE_SEED)
    free: dict[int, int] = {}
    for row in rng.permutation(len(lengths)).tolist():
        if min(wanted) <= lengths[row] <= max(wanted):
            free.setdefault(clusters[row], row)
    if len(free) < count:
        limits = f"{min(wanted)} to {max(wanted)} residues"
        raise InputError("--train-chains", None, f"{count}, but {len(free)} clusters have a chain of {limits}")
    rows = []
    for length in sorted(rng.choice(wanted, count, replace=count > len(wanted)).tolist(), reverse=True):
        cluster = min(free, key=lambda cluster: abs(lengths[free[cluster]] - length))
        rows.append(free.pop(cluster))
    return sorted(rows)


def references(chains: Chains) -> Targets:
    """Chains as structures with their dates."""
    return {name: chains.structure(row) for name, row in chains.rows.items()}


def refuse_seen(checkpoint: Checkpoint, targets: Targets) -> None:
    """Refuse a checkpoint that was trained past the date of a target.

    Raises:
        InputError: it was.
    """
    for name, target in targets.items():
        verdict = filter_by_date(checkpoint.metadata["cutoff"], target.release_date)
        if verdict.startswith(LEAKAGE):
            raise InputError(checkpoint.path, name, verdict)
