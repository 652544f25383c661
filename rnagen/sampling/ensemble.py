"""From a target to an ensemble: features, conformers, confidence."""

import operator
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, overload

import numpy as np
from jaxtyping import Float32, Float64

from rnagen.checkpoints.confidence import ConfidenceCheckpoint, find_confidence
from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, Checkpoint, load_checkpoint
from rnagen.config.categories import category_number
from rnagen.config.sampling import SamplingPlan, StructureFormat, TemplateConfig
from rnagen.errors import ConfigError
from rnagen.features import from_sequence
from rnagen.io.alignment import read_alignment
from rnagen.io.model_cif import PredictedQuality
from rnagen.io.target import Target
from rnagen.io.write import COMPUTED, write_structure
from rnagen.messages import number_of, quoted
from rnagen.sampling.confidence import DIGITS, Confidence, confidence_in, joined, predicted_tm
from rnagen.sampling.conformers import SamplingError, draw_conformers
from rnagen.sampling.denoiser import Evaluated, Flow, nothing
from rnagen.sampling.superposition import on_first
from rnagen.sampling.templates import NOTHING, KnownStructures, TemplateUse
from rnagen.structure import BEADS, RNAStructure


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
        loaded = cls(checkpoint, find_confidence(checkpoint, device), guide)
        return loaded if templates is None else replace(loaded, known=loaded.known_structures(templates))

    def known_structures(self, templates: TemplateConfig) -> KnownStructures | None:
        """What the options name; None where they name nothing that serves.

        Raises:
            InputError, ConfigError: as `load`.
        """
        missing = sorted(set(self.structure.config.model.atoms) - set(BEADS))
        if templates.given and missing:
            raise ConfigError(f"templates: do not have the atoms {', '.join(missing)} of this model; use none")
        if missing or not (templates.searches or templates.given):
            return None
        return KnownStructures(templates)


@dataclass(frozen=True)
class Ensemble:
    """n conformers of one RNA: as sampling returns them, the one to trust most first, and superposed on it."""

    structure: RNAStructure
    """The conformers as models, Å."""
    numbers: list[int]
    """The number, from 1, under which each was sampled. A conformer is a function of the seed, the name and its number;
    its place among the others is not."""
    confidence: Confidence | None
    """In each conformer, NaN where its checkpoint has no confidence model; None where no checkpoint has one."""
    evaluations: int
    """Calls of the model per conformer."""
    redrawn: int
    """Conformers that were sampled again because their coordinates were unusable."""
    seconds: float
    templates: list[TemplateUse | None]
    """What each conformer was built on; None for those that come from the model alone."""
    checkpoints: list[str]
    """The name of the checkpoint that made each."""
    candidates: int | None = None
    """Conformers that they were selected from; None without selection."""
    selected_by: Literal["confidence", "clusters"] | None = None
    """How they were selected."""

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
        return self.of(rows)

    def of(self, rows: Sequence[int]) -> "Ensemble":
        """The ensemble of some of the conformers, by position, in the order given."""
        rows = list(rows)
        return replace(
            self,
            structure=self.structure.models(rows),
            numbers=[self.numbers[row] for row in rows],
            confidence=None if self.confidence is None else self.confidence.of(rows),
            templates=[self.templates[row] for row in rows],
            checkpoints=[self.checkpoints[row] for row in rows],
        )

    def __repr__(self) -> str:
        tm, size = self.predicted_tm, f"{number_of(len(self), 'conformer')} of {len(self.structure)} nt"
        known = "" if tm is None else f", predicted TM-score {np.nanmin(tm):.2f} to {np.nanmax(tm):.2f}"
        return f"Ensemble({self.structure.name}: {size}{known})"

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
        """The same conformers, each moved rigidly onto the first by its C1'."""
        coords = on_first(self.coords, self.structure.atoms.index("C1'"))
        # An atom that is not there stays at zero.
        return replace(self, structure=replace(self.structure, coords=coords * self.structure.mask[..., None]))

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
    def predicted_tm(self) -> Float64[np.ndarray, " n"] | None:
        """Predicted TM-score of each conformer, which orders them: that of the template or state that it is built on,
        else that of the confidence model (`confidence.tm`). NaN of one without both; None where all are."""
        found = predicted_tm(self.templates, self.confidence)
        return found if np.isfinite(found).any() else None

    @property
    def quality(self) -> PredictedQuality | None:
        """Predicted lDDT and TM-score as the files have them, from the digits of a summary: conformers that are added
        later, when only that is left, change nothing in the files of the others. NaN and None as in `confidence`."""
        if self.confidence is None:
            return None
        lddt = np.round(self.confidence.lddt.astype(float), DIGITS)
        return PredictedQuality(100 * lddt, predicted_tm(self.templates, self.confidence))

    @property
    def coords(self) -> Float32[np.ndarray, "n L A 3"]:
        """Coordinates in Å; the atoms are those of `structure.atoms`."""
        return self.structure.coords

    def extended(self, more: "Ensemble") -> "Ensemble":
        """The same with further conformers of the RNA behind."""
        coords, mask = (
            np.concatenate([getattr(one.structure, part) for one in (self, more)]) for part in ("coords", "mask")
        )
        return replace(
            more,
            structure=replace(more.structure, coords=coords, mask=mask),
            numbers=self.numbers + more.numbers,
            confidence=joined(self.confidence, more.confidence, (len(self), len(more)), len(self.structure)),
            evaluations=max(self.evaluations, more.evaluations),
            redrawn=self.redrawn + more.redrawn,
            seconds=self.seconds + more.seconds,
            templates=self.templates + more.templates,
            checkpoints=self.checkpoints + more.checkpoints,
        )


def names_file(place: Path) -> bool:
    """Whether a place to save to is named as a file: it ends in .gz or three to six letters, and no folder is there."""
    suffix = place.suffix[1:]
    return not place.is_dir() and (suffix == "gz" or (suffix.isalpha() and 3 <= len(suffix) <= 6))


def conformer_file(k: int, n: int, structure_format: StructureFormat) -> str:
    """Name of the file of conformer k, from 1, of n: with zeros before it, so that names sort as numbers do."""
    return f"conformer_{k:0{len(str(n))}}.{structure_format}"


def write_conformers(
    structure: RNAStructure,
    folder: Path,
    structure_format: StructureFormat,
    quality: PredictedQuality | None = None,
) -> None:
    """Write conformers one by one and together, each file whole or not at all, with what is predicted of them. Of a
    conformer where that is NaN nothing is known; one of that kind, and the file of all has no prediction.

    Raises:
        InputError: the coordinates do not fit the format.
        OSError: the folder cannot be written or the disk is full.
    """
    known = np.full(structure.num_models, quality is not None)
    if quality is not None:
        known = np.isfinite(quality.lddt).all(1)
    for k, is_known in enumerate(known):
        own = None if quality is None or not is_known else quality.of([k])
        name = conformer_file(k + 1, structure.num_models, structure_format)
        write_structure(structure.models([k]), folder / name, own)
    write_structure(structure, folder / f"ensemble.{structure_format}", quality if known.all() else None)


def draw_ensemble(models: Models, target: Target, plan: SamplingPlan, evaluated: Evaluated = nothing) -> Ensemble:
    """Draw the conformers of one RNA that `plan.places` names, all candidates, in the order of their numbers and each
    in its own pose. `evaluated` is called after evaluations of the model, for progress.

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
    coords = conformers.coords.numpy()
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
    numbers = [place + 1 for place in plan.places]
    return Ensemble(
        structure=structure,
        numbers=numbers,
        confidence=confidence,
        evaluations=conformers.evaluations,
        redrawn=conformers.redrawn,
        seconds=time.monotonic() - started,
        templates=[known.uses[k - 1] if k <= len(known.uses) else None for k in numbers],
        checkpoints=[models.structure.path.stem] * len(numbers),
    )
