"""Known structures -> a template library: of each sequence the first structure, and later ones that resolve more."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rnagen.config.library import LibraryConfig
from rnagen.config.shared import refuse_unless_date
from rnagen.data.chains import ChainInfo, Chains
from rnagen.data.dataset import Dataset, is_dataset
from rnagen.errors import ConfigError, InputError
from rnagen.messages import quoted
from rnagen.preparation.gather import Inputs, gather
from rnagen.preparation.report import Skip, by_reason
from rnagen.structure import BEADS
from rnagen.templates.fragments import Fragments
from rnagen.templates.library import (
    C1,
    SHIPPED,
    Library,
    TemplateChain,
    TemplateInfo,
    is_library,
)
from rnagen.templates.storage import FARTHEST, centred_beads

SHORTEST = 10
"""Residues with C1'; shorter chains carry no fold."""
MORE = 1.05
"""A later structure of a sequence is worth its place if it resolves so many times as many beads."""
WIDEST = 10.0
"""Å; radius of gyration over the square root of the number of residues. Of 2,950 chains of the PDB the median has 2.9;
guides that proteins hold stretched reach 9.3, and strands traced around a virus (1h1k, 412 residues) begin at 11.7."""
ENOUGH = 1000
"""Windows of five residues from which the beads of other chains are rebuilt; where the full chains of a library have
fewer, those of the shipped library serve."""


@dataclass(frozen=True)
class BuiltLibrary:
    """A library, and what is not in it."""

    library: Library
    left_out: list[Skip]
    """Chains that could be read and are no templates, each with the reason."""
    skipped: list[Skip] = field(default_factory=list)
    """Files and chains that could not be read."""

    def lines(self, path: Path) -> list[str]:
        """What is in the file and what is not, for the user."""
        found = [f"{path}: {self.library.summary()}; {path.stat().st_size / 1e6:.1f} MB"]
        for skips, what in ((self.left_out, "chains left out"), (self.skipped, "skipped")):
            found += [f"{len(skips)} {what}:", *by_reason(skips)] if skips else []
        return found


def make_library(config: LibraryConfig) -> BuiltLibrary:
    """The library that the options ask for, which is written, or the one that they name.

    Raises:
        InputError: the source cannot be used.
        ConfigError: an option cannot be used.
        OSError: the file cannot be written.
    """
    source = config.source or SHIPPED
    if config.assume_date:
        refuse_unless_date("--assume-date", config.assume_date)
    if config.out is None:
        if source.exists() and not is_library(source):
            raise ConfigError(
                f"source: {quoted(str(source))} is not a template library; --out FILE.safetensors makes one of it"
            )
        return BuiltLibrary(Library.open(source), [])
    if config.source is None:
        raise ConfigError("source: is missing: a dataset, or a folder of structures, to make a library of")
    if is_library(source):
        raise ConfigError(f"source: {quoted(str(source))} is a template library already; name what to make one of")
    if config.out.suffix != ".safetensors":
        raise ConfigError(f"out: {quoted(str(config.out))} must end in .safetensors")
    built = build_library(source, config.assume_date, config.workers)
    if not len(built.library):
        raise InputError(source, None, f"no chain of it is a template: {built.left_out[0].reason}")
    built.library.write(config.out)
    return built


def build_library(source: Path, assume_date: str = "", workers: int = 1) -> BuiltLibrary:
    """The library of a dataset (folder or file), or of what a dataset can be made from.

    Args:
        source: a dataset; else a folder, structure file or Kaggle table, see `rnagen.preparation.sources`.
        assume_date: release date of chains that have none.
        workers: processes. The result does not depend on their number.

    Raises:
        InputError: the source cannot be used, or has no chain.
    """
    if is_dataset(source):
        return library_of(Dataset.open(source).chains, assume_date)
    with TemporaryDirectory() as folder:
        gathered = gather(Inputs.find([source], assume_date=assume_date), Path(folder), workers)
        found = (TemplateChain.of(s, _info(info)) for s, info in zip(gathered.structures(), gathered.infos))
        return replace(_assembled(found), skipped=gathered.report.skipped)


def library_of(chains: Chains, assume_date: str = "") -> BuiltLibrary:
    """The library of the chains of a dataset.

    Args:
        chains: with the atoms `rnagen.structure.BEADS` at least.
        assume_date: release date of chains that have none.
    """
    return _assembled(_templates(chains, assume_date))


def _templates(chains: Chains, assume_date: str) -> Iterator[TemplateChain]:
    return (template_of(chains, row, assume_date) for row in range(len(chains)))


def template_of(chains: Chains, row: int, assume_date: str = "") -> TemplateChain:
    """A chain of a dataset as a template: of its models the one that resolves most."""
    pair_table = chains.chain(row).pair_tables[:, 0]
    return TemplateChain.of(chains.structure(row), _info(chains.infos[row], assume_date), pair_table)


def _info(info: ChainInfo, assume_date: str = "") -> TemplateInfo:
    entry = (info.entry or info.name).lower()
    return TemplateInfo(info.name, entry, info.release_date or assume_date, info.cluster, info.benchmark)


def _assembled(found: Iterable[TemplateChain]) -> BuiltLibrary:
    """The library of those that are fit; chains with C1' alone get beads and base pairs by fragments of the others."""
    left_out, fit = [], []
    for one in found:
        reason = _unfit(one)
        left_out.append(Skip("", one.info.name, reason)) if reason else fit.append(one)
    chosen = _one_per_sequence(fit)
    names = {one.info.name for one in chosen}
    again = "resolves no more than an earlier structure of its sequence"
    left_out += [Skip("", one.info.name, again) for one in fit if one.info.name not in names]
    if all(map(_is_full, chosen)):
        return BuiltLibrary(Library.of(chosen), left_out)
    fragments = Fragments(Library.of([one for one in chosen if _is_full(one)]))
    if len(fragments) < ENOUGH:
        fragments = Fragments(Library.open())
    return BuiltLibrary(Library.of([one if _is_full(one) else fragments.complete(one) for one in chosen]), left_out)


def _unfit(chain: TemplateChain) -> str:
    """Why a chain cannot be a template; empty if it can."""
    resolved = int(chain.mask[:, C1].sum())
    if resolved < SHORTEST:
        few = "shorter than" if len(chain) < SHORTEST else "unresolved but for less than"
        return f"{few} {SHORTEST} residues"
    if np.abs(centred_beads(chain.coords, chain.mask)).max() > FARTHEST:
        return f"reaches further than {FARTHEST:.0f} Å from its centre"
    c1 = chain.coords[chain.mask[:, C1], C1]
    if np.sqrt(((c1 - c1.mean(0)) ** 2).sum(-1).mean()) > WIDEST * np.sqrt(resolved):
        return "more stretched than a molecule"
    return ""


def _one_per_sequence(found: Sequence[TemplateChain]) -> list[TemplateChain]:
    """By name; of equal sequences those that resolve more than all that were released before."""
    by_sequence: dict[bytes, list[TemplateChain]] = defaultdict(list)
    for one in sorted(found, key=lambda one: (one.info.release_date or "9999", -int(one.mask.sum()), one.info.name)):
        better = by_sequence[one.bases.tobytes()]
        if not better or one.mask.sum() > MORE * max(other.mask.sum() for other in better):
            better.append(one)
    return sorted((one for some in by_sequence.values() for one in some), key=lambda one: one.info.name)


def _is_full(chain: TemplateChain) -> bool:
    """Whether most residues have all beads."""
    resolved = chain.mask[:, C1]
    return bool(chain.mask[resolved].sum() > len(BEADS) / 2 * resolved.sum())
