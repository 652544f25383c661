"""From the options of `rnagen prepare` to a dataset, its splits and its file of beads."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from rnagen.config.prepare import PrepareConfig
from rnagen.config.shared import refuse_unless_date
from rnagen.config.structure import DataConfig
from rnagen.data.chains import Chains
from rnagen.data.dataset import Dataset
from rnagen.data.filters import why_in_no_split, why_not_trainable
from rnagen.errors import ConfigError
from rnagen.preparation.dataset import WORK, prepare, refuse_foreign
from rnagen.preparation.ensembles import held_out_clusters
from rnagen.preparation.fetch import Download, fetch_entries
from rnagen.preparation.report import PrepareReport
from rnagen.preparation.splits import make_splits, read_split, write_beads, write_splits


@dataclass(frozen=True)
class Prepared:
    """What a run of `rnagen prepare` did."""

    report: PrepareReport
    splits: dict[str, int] = field(default_factory=dict)
    """Chains of each split that was written."""
    beads: dict[str, int] = field(default_factory=dict)
    """Chains of each set in the file of beads."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Chains of the dataset that are in none of the splits, by reason."""
    not_trained: Counter[str] = field(default_factory=Counter)
    """Chains of the training set that do not train by default, by reason."""
    failed: tuple[Download, ...] = ()
    """Downloads that failed."""


def run_prepare(config: PrepareConfig) -> Prepared:
    """Download if asked to, prepare the dataset, and write the splits and beads that the options name.

    Raises:
        InputError: inputs, metadata or folder cannot be used.
        ConfigError: there is no input, a date cannot be used, or nothing is written that could hold out ensembles.
        OSError: the folder cannot be written; the next run continues from there.
    """
    refuse_unless_date("--cutoff", config.cutoff)
    if config.assume_date:
        refuse_unless_date("--assume-date", config.assume_date)
    if config.hold_out_ensembles and config.splits is None and config.beads is None:
        raise ConfigError("--hold-out-ensembles changes what --splits and --beads write; give one of them")
    inputs, only, downloads = list(config.inputs), None, []
    if config.fetch is not None:
        refuse_foreign(config.out)
        only = read_split(config.fetch)
        entries = {name.split("_")[0] for name in only}
        downloads = fetch_entries(entries, config.out / WORK / "download", config.fetch_url)
        inputs += [download.path for download in downloads if not download.failure]
    if not inputs:
        raise ConfigError("no input; name folders or files, or give --fetch with a split")
    report = prepare(inputs, config.out, config.metadata, config.workers, only, config.assume_date, config.alignments)
    dataset = Dataset.open(config.out)
    chains, cutoff = dataset.chains, config.cutoff
    held_out: frozenset[int] = frozenset()
    if config.hold_out_ensembles:
        held_out = held_out_clusters(chains, make_splits(chains, cutoff)["train"])
    splits = {} if config.splits is None else write_splits(chains, config.splits, cutoff, held_out)
    beads = {} if config.beads is None else write_beads(dataset, config.beads, cutoff, held_out)
    failed = tuple(download for download in downloads if download.failure)
    return Prepared(report, splits, beads, *left_out(chains, cutoff, held_out), failed)


def left_out(chains: Chains, cutoff: str, held_out: Collection[int] = ()) -> tuple[Counter[str], Counter[str]]:
    """Why chains of a dataset are in none of the splits, and why those of the training set do not train by default; how
    many for each reason."""
    splits, whole = make_splits(chains, cutoff, held_out), make_splits(chains, cutoff)
    used = {row for rows in whole.values() for row in rows}
    others = (row for row in range(len(chains)) if row not in used)
    limits = DataConfig.min_length, DataConfig.max_resolution, DataConfig.min_contacts
    reasons = why_in_no_split(chains, others, cutoff)
    if held_out:
        reasons["held out for the comparison of ensembles"] = len(whole["train"]) - len(splits["train"])
    return reasons, why_not_trainable(chains, splits["train"], *limits)
