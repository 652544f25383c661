"""What the first conformers of an RNA are built on: a draft, templates that the user names, those of the library."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int16
from torch import Tensor

from rnagen.config.residues import residue_range
from rnagen.config.sampling import TemplateConfig
from rnagen.config.structure import ModelConfig
from rnagen.errors import InputError
from rnagen.features import References
from rnagen.geometry import kabsch, rotate
from rnagen.io.files import hash_files
from rnagen.io.folders import safe_name
from rnagen.io.formats import stem
from rnagen.io.labels import PDB_ID
from rnagen.io.target import Target
from rnagen.sampling.conformers import Slot
from rnagen.sampling.given import between, fixed_part
from rnagen.structure import BEADS, UNKNOWN
from rnagen.templates.confidence import predicted_tm
from rnagen.templates.date_filter import ANY_DATE, DateFilter
from rnagen.templates.files import is_table, read_template_files, template_files
from rnagen.templates.library import C1, SHIPPED, Library
from rnagen.templates.match import MINIMUM, Match
from rnagen.templates.query import Query
from rnagen.templates.search import Searcher, align_with
from rnagen.templates.transfer import Transferred, transfer


@dataclass(frozen=True)
class TemplateUse:
    """What a conformer was built on."""

    source: str
    """draft, file, library, fix, start, end or between."""
    name: str
    """Of the template."""
    release_date: str
    """YYYY-MM-DD; `NO_DATE` when unknown."""
    identity: float
    """Share of equal bases among the aligned residues."""
    coverage: float
    """Share of the residues that were copied."""
    score: float
    """Of the alignment, per residue."""
    predicted_tm: float
    """TM-score that such a template has on average, before the model repairs it."""


@dataclass(frozen=True)
class Known:
    """Known structures of one RNA, in the order of the conformers that are built on them."""

    uses: list[TemplateUse]
    copies: list[Transferred]

    def slots(self, model: ModelConfig, config: TemplateConfig) -> dict[int, Slot]:
        """What is known of the first conformers, with the atoms of a model; `BEADS` has all of them."""
        columns = [BEADS.index(atom) for atom in model.atoms]
        slots = {}
        for k, (use, copy) in enumerate(zip(self.uses, self.copies)):
            references = self._references(k, columns, model.references) if config.conditions else None
            until = config.until(use.source) if config.copies or references is None else 0.0
            coords, known = (torch.from_numpy(part[:, columns]) for part in (copy.coords, copy.known))
            slots[k] = Slot(coords, known, until, references)
        return slots

    def _references(self, first: int, columns: list[int], number: int) -> References | None:
        """What the model reads for a conformer: its own copy, then the best others, superposed on it; None for a model
        that reads none."""
        if not number:
            return None
        # A part that is fixed in all conformers counts once.
        order = [first, *(k for k, copy in enumerate(self.copies) if copy is not self.copies[first])]
        chosen = [(torch.from_numpy(self.copies[k].coords), torch.from_numpy(self.copies[k].known)) for k in order]
        (coords, known), parts = chosen[0], []
        for k, (other, mask) in zip(order, chosen):
            both = (mask & known)[:, C1]
            if both.sum() < MINIMUM:
                continue
            rotation, translation = kabsch(other[:, C1], coords[:, C1], both)
            moved = (rotate(other.flatten(0, 1), rotation) + translation).view_as(other)
            parts.append((moved[:, columns], mask[:, columns], self._trust(k)))
            if len(parts) == number:
                break
        stacked = [torch.stack(part)[None] for part in zip(*parts)]
        return References(*stacked)

    def _trust(self, k: int) -> Float[Tensor, " L"]:
        """In each residue: the predicted TM-score counts those that were not copied."""
        use, length = self.uses[k], len(self.copies[k].coords)
        return torch.full((length,), min(1.0, use.predicted_tm / max(use.coverage, 1e-3)))


NOTHING = Known([], [])


class KnownStructures:
    """The known structures of a run.

    Args:
        config: which may serve.

    Attributes:
        warnings: chains of the files that cannot be used; and for each RNA that no file fits, so that the library alone
            serves it, why the first does not.

    Raises:
        InputError: the library or a file of templates cannot be read, or there is no draft, fixed part or state.
    """

    def __init__(self, config: TemplateConfig) -> None:
        self.config = config
        self.searcher = Searcher(Library.open(config.template_library or SHIPPED)) if config.searches else None
        paths = [file for path in config.files for file in template_files(path)]
        read = {path: read_template_files([path]) for path in paths}
        self.files = {path: one.library for path, one in read.items()}
        self.warnings = [failure for one in read.values() for failure in one.failures]
        self._drafts = [] if config.draft is None else template_files(config.draft)
        given = [config.start, config.end, config.fix and Path(config.fix[1])]
        self._given = [file for path in given if path is not None for file in template_files(path)]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all files that are used."""
        library = [] if self.searcher is None else [self.config.template_library or SHIPPED]
        return hash_files([*self.files, *library, *self._drafts, *self._given])

    def date_filter(self, target: Target) -> DateFilter:
        """Which chains of the library may serve a target: those older than it, and than the date of the options. An RNA
        without a date is taken for one of today, whose structure nobody knows: all may."""
        named = self.config.template_date
        return (DateFilter(named) if named else ANY_DATE).at(target.release_date)

    def draft_of(self, target: Target) -> Path | None:
        """The file of the draft of a target: in a folder, the one of its name."""
        if self.config.draft is None or self.config.draft.is_file():
            return self.config.draft
        return next((file for file in self._drafts if stem(file) in (target.name, safe_name(target.name))), None)

    def of(self, target: Target, pairs: Float32[np.ndarray, "L L"], most: int) -> Known:
        """The structures that the conformers of a target are built on, and more where fewer conformers are sampled:
        what a model reads for one of them does not depend on how many there are.

        Args:
            target: the RNA.
            pairs: its base-pair probabilities; a secondary structure that it comes with replaces them.
            most: conformers that are sampled; all of them stand between two states, or have a part that is fixed.

        Raises:
            InputError: a draft or all files of templates belong to other RNAs.
        """
        if target.pair_table is not None:
            pairs = _conditioned(pairs, target.pair_table)
        query = Query.of(target.sequence, pairs)
        found = [("draft", match) for match in self._draft(target, query)]
        found += [("file", match) for match in self._named(target, query)]
        found += [("library", match) for match in self._library(target, query)]
        found = [(source, match) for source, match in found if match.can_be_copied]
        if self.config.fix is not None:
            found = [("fix", self._fixed(query, *self.config.fix))] * most + found
        if self.config.start is not None and self.config.end is not None:
            return self._between(target, query, self.config.start, self.config.end, most)
        if not found:
            return NOTHING
        trust = predicted_tm([match for _, match in found], len(query))
        uses = [
            TemplateUse(
                source,
                match.chain.info.name,
                match.chain.info.release_date,
                match.identity,
                match.coverage,
                match.score,
                float(tm),
            )
            for (source, match), tm in zip(found, trust)
        ]
        copies = {id(match): transfer(match) for _, match in found}
        return Known(uses, [copies[id(match)] for _, match in found])

    def _fixed(self, query: Query, residues: str, path: str) -> Match:
        return fixed_part(query, residue_range(residues), Path(path))

    def _between(self, target: Target, query: Query, start: Path, end: Path, number: int) -> Known:
        """Conformers on the way from one state to the other, the first and the last of them the states themselves."""
        one, other = (
            self._fitting(target, query, path, read_template_files([path]).library)[0] for path in (start, end)
        )
        shares = np.linspace(0, 1, number).tolist()
        uses = [_state(one, other, share) for share in shares]
        return Known(uses, between(one, other, shares))

    def _draft(self, target: Target, query: Query) -> list[Match]:
        path = self.draft_of(target)
        return [] if path is None else self._fitting(target, query, path, read_template_files([path]).library)[:1]

    def _named(self, target: Target, query: Query) -> list[Match]:
        found, refusals = [], []
        for path, library in self.files.items():
            try:
                found += self._fitting(target, query, path, library)
            except InputError as error:
                refusals.append(error)
        if refusals and not found:
            if self.searcher is None:
                raise refusals[0]
            self.warnings.append(refusals[0])
        return found

    def _fitting(self, target: Target, query: Query, path: Path, library: Library) -> list[Match]:
        """The chain of a file that aligns best; of a table, all conformers of that RNA.

        Raises:
            InputError: it is too different.
        """
        matches = align_with(query, [library.chain(row) for row in range(len(library))])
        best, least = matches[0], self.config.template_similarity
        if not best.can_be_copied:
            raise InputError(path, None, f"fits fewer than {MINIMUM} residues of {target.name}: remove it")
        if best.similarity < least:
            reason = (
                f"does not fit {target.name}: of its chains {best.chain.info.name} aligns best, over "
                f"{best.coverage:.0%} of the residues with {best.identity:.0%} of them identical, together "
                f"{best.similarity:.2f}; lower --template-similarity ({least}) to use it all the same"
            )
            raise InputError(path, None, reason)
        if not is_table(path):
            return [best]
        # In their order, not in that of scores, which their base pairs make a little different.
        names = [info.name for info in library.infos]
        same = [one for one in matches if np.array_equal(one.chain.bases, best.chain.bases)]
        return sorted(same, key=lambda one: names.index(one.chain.info.name))

    def _library(self, target: Target, query: Query) -> list[Match]:
        if self.searcher is None:
            return []
        served = self.date_filter(target).without(entry_of(target.name))
        matches = self.searcher.search(query, served.allowed(self.searcher.library))
        return useful(matches, self.config)


def _state(one: Match, other: Match, share: float) -> TemplateUse:
    source = {0.0: "start", 1.0: "end"}.get(share, "between")
    near = one if share < 0.5 else other
    trust = near.coverage * max(share, 1 - share)
    name = near.chain.info.name if source != "between" else f"{one.chain.info.name} to {other.chain.info.name}"
    return TemplateUse(
        source, name, near.chain.info.release_date, near.identity, near.coverage, near.score, float(trust)
    )


def useful(matches: list[Match], config: TemplateConfig) -> list[Match]:
    """The templates that take slots: of the best, those that are similar enough, and not more than there are slots."""
    best = matches[: config.template_choice]
    return [match for match in best if match.similarity >= config.template_similarity][: config.template_slots]


def entry_of(name: str) -> str:
    """Database entry of a target whose name begins with one (7abc or 7abc_A); empty for other names."""
    first = name.split("_")[0].lower()
    return first if PDB_ID.fullmatch(first) else ""


def _conditioned(pairs: Float32[np.ndarray, "L L"], table: Int16[np.ndarray, " L"]) -> Float32[np.ndarray, "L L"]:
    """Probabilities 1 and 0 for the residues of which the secondary structure is known."""
    known = table != UNKNOWN
    replaced = pairs.copy()
    replaced[known], replaced[:, known] = 0, 0
    rows = np.flatnonzero(table >= 0)
    replaced[rows, table[rows]] = 1
    return replaced
