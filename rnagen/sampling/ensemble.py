"""From a target to an ensemble: features, conformers, confidence, selection."""

import operator
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np
import torch
from jaxtyping import Float32

from rnagen.allatom import complete
from rnagen.checkpoints.confidence import ConfidenceCheckpoint, find_confidence
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, Checkpoint, load_checkpoint
from rnagen.config.categories import category_number
from rnagen.config.sampling import SamplingPlan, StructureFormat, TemplateConfig
from rnagen.errors import ConfigError
from rnagen.features import from_sequence
from rnagen.geometry import superpose
from rnagen.io.alignment import read_alignment
from rnagen.io.model_cif import PredictedQuality
from rnagen.io.target import Target
from rnagen.io.write import COMPUTED, write_structure
from rnagen.messages import quoted
from rnagen.metrics import tm_matrix
from rnagen.sampling.confidence import Confidence, confidence_in
from rnagen.sampling.conformers import SamplingError, draw_conformers
from rnagen.sampling.denoiser import Evaluated, Flow, nothing
from rnagen.sampling.selection import choose_behind
from rnagen.sampling.templates import NOTHING, KnownStructures, TemplateUse
from rnagen.structure import BEADS, RNAStructure

FILE_DIGITS = 3
"""Of coordinates in files, Å."""
DIGITS = 4
"""Of a confidence, from 0 to 1, in files."""


@dataclass(frozen=True)
class Models:
    """The checkpoints that take part in sampling."""

    structure: Checkpoint
    confidence: ConfidenceCheckpoint | None = None
    """None where the structure model has none."""
    guide: Checkpoint | None = None
    """A worse structure model to be guided away from."""
    known: KnownStructures | None = None
    """What the first conformers may be built on; None for nothing."""

    @classmethod
    def load(
        cls, ckpt: Path | None, guide_ckpt: Path | None, device: str, templates: TemplateConfig | None = None
    ) -> "Models":
        """The structure model (the shipped one by default), the confidence model beside it, the guide, and known
        structures if there are options for them. The library serves no model of other atoms than the beads.

        Raises:
            InputError: a checkpoint, library or template cannot be used, or the confidence model belongs to other
                weights.
            ConfigError: files of templates, or a draft, for a model whose atoms they do not have.
        """
        checkpoint = load_checkpoint(ckpt or DEFAULT_CHECKPOINT, device)
        guide = load_checkpoint(guide_ckpt, device) if guide_ckpt else None
        known = None
        missing = sorted(set(checkpoint.config.model.atoms) - set(BEADS))
        if templates is not None and templates.given and missing:
            raise ConfigError(f"templates: do not have the atoms {', '.join(missing)} of this model; use none")
        if templates is not None and (templates.searches or templates.given) and not missing:
            known = KnownStructures(templates, checkpoint.metadata["cutoff"])
        return cls(checkpoint, find_confidence(checkpoint, device), guide, known)


@dataclass(frozen=True)
class Ensemble:
    """n conformers of one RNA, in the order of their numbers."""

    structure: RNAStructure
    """The conformers as models, Å."""
    numbers: list[int]
    """Their numbers, from 1, among all candidates: their names in a run without selection."""
    best_first: list[int] | None
    """The same numbers in the order of selection; None without selection."""
    confidence: Confidence | None
    """In each conformer; None without a confidence model."""
    evaluations: int
    """Calls of the model per conformer."""
    redrawn: int
    """Conformers that were sampled again because their coordinates were unusable."""
    seconds: float
    templates: list[TemplateUse] = field(default_factory=list)
    """What the first conformers were built on; the others come from the model alone."""

    def __len__(self) -> int:
        """Number of conformers."""
        return self.structure.num_models

    def __iter__(self) -> Iterator[RNAStructure]:
        """The conformers, one structure each."""
        return (self.structure.models([k]) for k in range(len(self)))

    @overload
    def __getitem__(self, place: int) -> RNAStructure: ...

    @overload
    def __getitem__(self, place: slice) -> "Ensemble": ...

    def __getitem__(self, place: int | slice) -> "RNAStructure | Ensemble":
        """A conformer, or the ensemble of some of them, in their order, with what is known of each.

        Raises:
            IndexError: there is no such conformer.
            ConfigError: a slice backwards.
        """
        if not isinstance(place, slice):
            place = operator.index(place)
            if not -len(self) <= place < len(self):
                raise IndexError(f"no conformer {place}: the ensemble has {len(self)}, from 0")
            return self.structure.models([place])
        rows = list(range(len(self))[place])
        if rows != sorted(rows):
            raise ConfigError("the conformers of an ensemble keep their order: slice it forwards")
        numbers = [self.numbers[row] for row in rows]
        return replace(
            self,
            structure=self.structure.models(rows),
            numbers=numbers,
            best_first=None if self.best_first is None else [one for one in self.best_first if one in numbers],
            confidence=None if self.confidence is None else self.confidence.of(rows),
            templates=[self.templates[row] for row in rows if row < len(self.templates)],
        )

    def __repr__(self) -> str:
        tm = ""
        if self.confidence is not None and len(self):
            tm = f", predicted TM-score {self.confidence.tm.min():.2f} to {self.confidence.tm.max():.2f}"
        return f"Ensemble({self.structure.name}: {len(self)} conformers of {len(self.structure)} nt{tm})"

    def to_numpy(self, atom: str | None = None) -> Float32[np.ndarray, "n L *atoms 3"]:
        """Coordinates in Å: [n, L, A, 3] of all atoms, or [n, L, 3] of the one that is named; N is the glycosidic
        nitrogen. Zero where a residue does not have the atom (`structure.mask`).

        Raises:
            ConfigError: there is no such atom.
        """
        atoms = self.structure.atoms
        if atom is None:
            return self.coords.copy()
        if atom not in (*atoms, "N"):
            raise ConfigError(f"to_numpy: {quoted(atom)} is not an atom; choose from {', '.join(atoms)}")
        return self.structure.select_atoms((atom,)).coords[:, :, 0]

    def superposed(self) -> "Ensemble":
        """The same conformers, each moved rigidly onto the first, all atoms counted."""
        coords, mask = (torch.from_numpy(one).flatten(1, 2) for one in (self.coords, self.structure.mask))
        moved = superpose(coords, coords[:1].expand_as(coords), mask & mask[:1]) * mask[..., None]
        return replace(self, structure=replace(self.structure, coords=moved.view(self.coords.shape).numpy()))

    def save(self, place: str | Path, structure_format: StructureFormat = "cif") -> Path:
        """Write the conformers with the confidence as B factors: as the models of one file, if the place is named as
        one (.cif or .pdb), else in a folder, which is made if needed, one by one (conformer_1.cif …) and together
        (ensemble.cif). Returns the place.

        Args:
            place: file or folder.
            structure_format: of the files of a folder.

        Raises:
            InputError: a file of another kind, or the coordinates do not fit the format.
            OSError: the place cannot be written or the disk is full.
        """
        place = Path(place)
        if names_file(place):
            write_structure(self.structure, place, self.quality)
        else:
            write_conformers(self.structure, place, structure_format, self.quality)
        return place

    @property
    def quality(self) -> PredictedQuality | None:
        """Confidence as the files have it, from the digits of a summary: conformers that are added later, when only
        that is left, change nothing in the files of the others. None without a confidence model."""
        if self.confidence is None:
            return None
        lddt, tm = (np.round(one.astype(float), DIGITS) for one in (self.confidence.lddt, self.confidence.tm))
        return PredictedQuality(100 * lddt, tm)

    @property
    def coords(self) -> Float32[np.ndarray, "n L A 3"]:
        """Coordinates in Å; the atoms are those of `structure.atoms`."""
        return self.structure.coords

    def extended(self, more: "Ensemble") -> "Ensemble":
        """The same with further conformers of the RNA behind."""
        coords, mask = (
            np.concatenate([getattr(one.structure, part) for one in (self, more)]) for part in ("coords", "mask")
        )
        confidence = None
        if self.confidence is not None and more.confidence is not None:
            confidence = self.confidence.joined(more.confidence)
        return replace(
            more,
            structure=replace(more.structure, coords=coords, mask=mask),
            numbers=self.numbers + more.numbers,
            confidence=confidence,
            redrawn=self.redrawn + more.redrawn,
            seconds=self.seconds + more.seconds,
        )


def names_file(place: Path) -> bool:
    """Whether a place to save to is named as a file: it ends in .gz or three to six letters, and no folder is there."""
    suffix = place.suffix[1:]
    return not place.is_dir() and (suffix == "gz" or (suffix.isalpha() and 3 <= len(suffix) <= 6))


def write_conformers(
    structure: RNAStructure,
    folder: Path,
    structure_format: StructureFormat,
    quality: PredictedQuality | None = None,
    first: int = 0,
) -> None:
    """Write conformers one by one and together, each file whole or not at all, with what is predicted of them. The
    first so many have their own files already.

    Raises:
        InputError: the coordinates do not fit the format.
        OSError: the folder cannot be written or the disk is full.
    """
    for k in range(first, structure.num_models):
        own = None if quality is None else quality.of([k])
        write_structure(structure.models([k]), folder / f"conformer_{k + 1}.{structure_format}", own)
    write_structure(structure, folder / f"ensemble.{structure_format}", quality)


def draw_ensemble(models: Models, target: Target, plan: SamplingPlan, evaluated: Evaluated = nothing) -> Ensemble:
    """Draw n conformers of one RNA without the first `plan.first`; with `plan.candidates`, draw that many and select n
    of them. `evaluated` is called after evaluations of the model, for progress.

    Raises:
        ConfigError: options that cannot be combined, or the model does not know the label.
        InputError: the alignment cannot be read, or belongs to another sequence; or a draft or template does.
        SamplingError: the sequence cannot be folded, or a conformer stayed unusable; nothing is returned.
    """
    started = time.monotonic()
    flow = Flow.of(models.structure)
    alignment = None if target.alignment is None else read_alignment(target.alignment, target.sequence)
    label = category_number(target.label, flow.model.config.categories)
    try:
        features = from_sequence(
            flow.model.config,
            target.sequence,
            target.pair_table,
            alignment,
            label,
            target.strands,
            target.pair_matrix,
        )
    except ValueError as error:
        raise SamplingError(f"folding failed: {error}") from error
    known = NOTHING
    if models.known is not None and not target.strands:
        known = models.known.of(target, features.pair_probabilities[0].numpy(), plan.total)
    guide = None if models.guide is None else Flow.of(models.guide)
    slots = None
    if models.known is not None and known.uses:
        slots = known.slots(flow.model.config, models.known.config)
    conformers = draw_conformers(flow, features, target.name, plan, guide, slots, evaluated)
    c1 = conformers.coords[:, :, flow.model.config.atoms.index("C1'")]
    confidence = None
    if models.confidence is not None:
        confidence = confidence_in(models.confidence.head, conformers.known, c1)
    rows, best_first = list(range(len(c1))), None
    if plan.candidates is not None:
        distances = 1 - tm_matrix(c1).numpy()
        best_first = choose_behind(len(known.uses), distances, plan.n, None if confidence is None else confidence.tm)
        rows = sorted(best_first)
    coords = conformers.coords[rows].numpy()
    structure = RNAStructure(
        name=target.name,
        sequence=target.sequence,
        coords=coords,
        mask=np.ones(coords.shape[:-1], dtype=bool),
        atoms=flow.model.config.atoms,
        chain="A",
        method=COMPUTED,
        title=f"{target.name}, sampled by rnagen",
        strands=target.strands,
    )
    if plan.atoms == "all":
        # As the files of `--atoms beads` have them: rounding of the last digits then decides nothing.
        structure = complete(replace(structure, coords=structure.coords.round(FILE_DIGITS)))
    return Ensemble(
        structure=structure,
        numbers=[plan.first + row + 1 for row in rows],
        best_first=None if best_first is None else [row + 1 for row in best_first],
        confidence=None if confidence is None else confidence.of(rows),
        evaluations=conformers.evaluations,
        redrawn=conformers.redrawn,
        seconds=time.monotonic() - started,
        templates=known.uses[: plan.n],
    )
