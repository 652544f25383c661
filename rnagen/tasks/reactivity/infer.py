"""Reactivity predicted by trained models: validation, benchmarks, command line and Python API all come here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from rnagen.checkpoints.reactivity import DEFAULT_CHECKPOINT, ReactivityCheckpoint, load_reactivity_checkpoint
from rnagen.config.encoder import EncoderConfig
from rnagen.data.padding import padded_length
from rnagen.errors import ConfigError, InputError
from rnagen.features import RNAFeatures, collate, from_residues
from rnagen.io.target import Target
from rnagen.memory import available_memory
from rnagen.messages import number_of
from rnagen.model.encoders import encoder_memory
from rnagen.model.reactivity import ReactivityModel
from rnagen.progress import Advance
from rnagen.secondary.pairs import SparsePairs
from rnagen.structure import encode_sequence
from rnagen.tasks.reactivity.dataset import LENGTH_BUCKET, flipped_features, reversal

BATCH_PAIRS = 2**20
"""Pairs of residues in a batch of several RNAs: about 1 GiB in the convformer, a fifth of that in the others."""


@dataclass(frozen=True, repr=False)
class Prediction:
    """Predicted reactivity of several RNAs."""

    experiments: tuple[str, ...]
    """The E experiment types."""
    profiles: dict[str, Float32[np.ndarray, "_ E"]]
    """Reactivity [L, E] in [0, 1] by name, in the order of the targets."""
    failures: list[InputError]
    """An error for each RNA without a usable prediction."""

    def __len__(self) -> int:
        """Number of RNAs with a prediction."""
        return len(self.profiles)

    def __getitem__(self, name: str) -> Float32[np.ndarray, "_ E"]:
        """The profile of an RNA."""
        return self.profiles[name]

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"Prediction({number_of(len(self), 'RNA')}{failed}: {', '.join(self.experiments)})"


def predict_reactivity(
    targets: Sequence[Target],
    models: Sequence[ReactivityCheckpoint],
    batch_size: int = 32,
    flip: bool = True,
    advance: Advance = lambda amount, name: None,
) -> Prediction:
    """Mean reactivity over the models of each RNA (distinct names); `refuse_unfit` finds the RNAs that are too long.

    Args:
        targets: the RNAs.
        models: checkpoints of the same experiments, as `load_models` returns them.
        batch_size: most RNAs in a batch; no more than `BATCH_PAIRS` allow.
        flip: average the readings from both ends.
        advance: is called after each RNA, to advance a progress bar.

    Raises:
        ValueError: as `predict`; also for a sequence too long for ViennaRNA, if a model reads base pairs.
    """
    # Not at the top: training can do without ViennaRNA.
    from rnagen.secondary.cached import base_pairs

    networks = [checkpoint.model for checkpoint in models]
    device, pairs_of = next(networks[0].parameters()).device, base_pairs if needs_pairs(networks) else None
    found = {}
    for numbers in _batches([len(target.sequence) for target in targets], batch_size):
        features = make_features([targets[n].sequence for n in numbers], pairs_of)
        predicted = predict(networks, features.to(device), flip).cpu().numpy()
        for n, padded in zip(numbers, predicted):
            profile = padded[: len(targets[n].sequence)]
            if np.isfinite(profile).all():
                found[n] = profile.copy()
            advance(1, targets[n].name)
    reason = "the predicted values are not finite: the weights of a model are damaged"
    failures = [InputError("prediction", target.name, reason) for n, target in enumerate(targets) if n not in found]
    return Prediction(networks[0].experiments, {targets[n].name: found[n] for n in sorted(found)}, failures)


@torch.no_grad()
def predict(models: Sequence[ReactivityModel], features: RNAFeatures, flip: bool) -> Float[Tensor, "B L E"]:
    """Mean reactivity over the models, clipped to [0, 1] as the training targets are; zero on padding.

    The caller sets the mode of the models (`eval()`) and autocast.

    Args:
        models: models of the same experiments, on the device of the features.
        features: the RNAs.
        flip: average the readings from both ends.

    Raises:
        ValueError: no model, or models of different experiments.
    """
    if len({model.experiments for model in models}) != 1:
        raise ValueError(f"no common experiments: {[model.experiments for model in models]}")
    predictions = [model(features) for model in models]
    if flip:
        turned = flipped_features(features)
        back = reversal(features.mask)[..., None].expand_as(predictions[0])
        predictions += [model(turned).gather(1, back) for model in models]
    return torch.stack(predictions).mean(dim=0).clamp(0, 1)


def make_features(sequences: Sequence[str], pairs_of: Callable[[str], SparsePairs] | None) -> RNAFeatures:
    """One padded batch of sequences over `BASES`, on the CPU; without `pairs_of` the pair probabilities are zero."""
    pairs = [None if pairs_of is None else pairs_of(sequence) for sequence in sequences]
    parts = [from_residues(encode_sequence(sequence), known) for sequence, known in zip(sequences, pairs)]
    return collate(parts, padded_length([len(sequence) for sequence in sequences], LENGTH_BUCKET))


def load_models(paths: Sequence[Path] = (), device: torch.device | str = "cpu") -> list[ReactivityCheckpoint]:
    """Load checkpoints whose predictions can be averaged; by default the one that ships with rnagen.

    Raises:
        InputError: as `load_reactivity_checkpoint`.
        ConfigError: two checkpoints differ in their experiments or in the order of these.
    """
    loaded = [load_reactivity_checkpoint(path, device) for path in paths or (DEFAULT_CHECKPOINT,)]
    for one in loaded[1:]:
        first = loaded[0]
        if one.model.experiments != first.model.experiments:
            of = "; ".join(f"{c.path} predicts {', '.join(c.model.experiments)}" for c in (first, one))
            raise ConfigError(f"ckpt: models of different experiments cannot be averaged: {of}")
    return loaded


def needs_pairs(models: Sequence[ReactivityModel]) -> bool:
    """Whether any of the models reads base pairs."""
    return any(model.config.base_pairs != "none" for model in models)


def refuse_unfit(
    targets: Sequence[Target], models: Sequence[ReactivityCheckpoint], skipped: int = 0, figures: bool = False
) -> tuple[list[Target], list[InputError]]:
    """The RNAs that can be predicted, and an error for each of the others: no longer than the `skipped` residues at its
    ends, or too long for memory, for ViennaRNA, or for the folding as a whole that figures need."""
    from rnagen.secondary.local import LONGEST
    from rnagen.secondary.vienna import MAXIMUM_LENGTH

    free, pairs = available_memory(), needs_pairs([checkpoint.model for checkpoint in models])
    good, failures = [], []
    for target in targets:
        length = len(target.sequence)
        need = max(estimated_memory(length, checkpoint.model.config) for checkpoint in models)
        if target.strands:
            reason = f"{len(target.strands)} strands: reactivities are predicted for RNAs of one strand"
        elif length <= skipped:
            reason = f"{length} nt, but the first and last {skipped} get no value (--skip-start, --skip-end)"
        elif length > LONGEST and pairs:
            reason = f"{length} nt: base pairs are predicted for at most {LONGEST} nt; cut the sequence into domains"
        elif length > MAXIMUM_LENGTH and figures:
            reason = f"{length} nt: figures have at most {MAXIMUM_LENGTH} nt; use --no-figures"
        elif need > free:
            reason = (
                f"{length} nt need about {need / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free: "
                "cut the sequence into domains, or use a larger machine"
            )
        else:
            good.append(target)
            continue
        failures.append(InputError("inputs", target.name, reason))
    return good, failures


def estimated_memory(length: int, config: EncoderConfig) -> int:
    """Peak bytes for the prediction of one RNA of `length` residues, slightly overestimated: the encoder, and a fifth
    plus 64 MiB for everything else."""
    return int(1.2 * encoder_memory(length, config)) + 64 * 2**20


def _batches(lengths: list[int], batch_size: int) -> Iterator[list[int]]:
    """Numbers of the sequences, sorted by length, in batches within both limits."""
    batch: list[int] = []
    for n in sorted(range(len(lengths)), key=lambda n: lengths[n]):
        if batch and (len(batch) == batch_size or (len(batch) + 1) * lengths[n] ** 2 > BATCH_PAIRS):
            yield batch
            batch = []
        batch.append(n)
    if batch:
        yield batch
