"""The conformers of an RNA that are handed out: all that are drawn, or the best and most different of a pool."""

from dataclasses import dataclass, replace

import torch

from rnagen.checkpoints.confidence import ConfidenceCheckpoint
from rnagen.checkpoints.structure import Checkpoint
from rnagen.config.sampling import SamplerConfig
from rnagen.io.alignment import read_alignment
from rnagen.io.target import Target
from rnagen.metrics import tm_matrix
from rnagen.sampling.confidence import Confidence, confidence_logits, confidence_of
from rnagen.sampling.ensemble import Ensemble, draw_ensemble, features_of, guide_of
from rnagen.sampling.selection import choose
from rnagen.structure import RNAStructure


@dataclass(frozen=True)
class Models:
    """What draws and what judges."""

    structure: Checkpoint
    confidence: ConfidenceCheckpoint | None
    """None where the structure model has none."""
    guide: Checkpoint | None = None
    """A worse structure model to be guided away from."""


@dataclass(frozen=True)
class Kept:
    """n conformers of one RNA, in the order of their numbers."""

    ensemble: Ensemble
    numbers: list[int]
    """Their numbers, from 1, among all that were drawn: what they would be called without a choice."""
    best_first: list[int] | None
    """The same numbers in the order in which they were chosen; None where all that were drawn were kept."""
    confidence: Confidence | None
    """In them; None without a confidence model."""


def draw_kept(
    models: Models, target: Target, n: int, candidates: int | None, options: SamplerConfig, seed: int
) -> Kept:
    """Draw n conformers of one RNA, or draw `pool` and keep n of them.

    Raises:
        ConfigError: options that do not go together.
        InputError: the alignment cannot be read, or is of another sequence.
        SamplingError: a conformer stayed unusable; nothing is returned.
    """
    checkpoint = models.structure
    alignment = None if target.alignment is None else read_alignment(target.alignment, target.sequence)
    features = features_of(target.sequence, bool(checkpoint.config.model.pair_features), target.pair_table, alignment)
    ensemble = draw_ensemble(
        checkpoint.model,
        checkpoint.config.transport,
        features,
        target.name,
        target.sequence,
        candidates or n,
        options,
        seed,
        guide_of(models.guide),
    )
    c1 = torch.from_numpy(ensemble.structure.coords[:, :, checkpoint.config.model.atoms.index("C1'")])
    confidence = None
    if models.confidence is not None:
        confidence = confidence_of(confidence_logits(checkpoint.model, models.confidence.head, features, c1))
    if candidates is None:
        return Kept(ensemble, list(range(1, n + 1)), None, confidence)
    distances = 1 - tm_matrix(c1).numpy()
    chosen = choose(distances, n, None if confidence is None else confidence.tm)
    rows = sorted(chosen)
    return Kept(
        replace(ensemble, structure=models_of(ensemble.structure, rows)),
        [row + 1 for row in rows],
        [row + 1 for row in chosen],
        None if confidence is None else confidence.of(rows),
    )


def models_of(structure: RNAStructure, rows: list[int]) -> RNAStructure:
    """Some models of a structure, by position."""
    return replace(structure, coords=structure.coords[rows], mask=structure.mask[rows])
