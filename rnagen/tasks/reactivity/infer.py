"""Reactivity predicted by trained models: the one place where validation, benchmarks and the command line get it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from rnagen.checkpoints.reactivity import ReactivityCheckpoint, load_reactivity_checkpoint
from rnagen.config.encoder import EncoderConfig
from rnagen.data.padding import padded_length
from rnagen.errors import ConfigError
from rnagen.features import RNAFeatures, collate, from_residues
from rnagen.model.encoders.memory import encoder_memory
from rnagen.model.reactivity import ReactivityModel
from rnagen.secondary.pairs import SparsePairs
from rnagen.structure import encode_sequence
from rnagen.tasks.reactivity.dataset import LENGTH_BUCKET
from rnagen.tasks.reactivity.flip import flipped_features, reversal

BATCH_PAIRS = 2**20
"""Pairs of residues in a batch of several RNAs: about 1 GiB in the convformer, a fifth of that in the others."""


@torch.no_grad()
def predict(models: Sequence[ReactivityModel], features: RNAFeatures, flip: bool) -> Float[Tensor, "B L E"]:
    """Mean reactivity over the models, clipped to [0, 1] as the targets of their training are; zero on padding.

    The mode of the models (`eval()`) and autocast are the caller's.

    Args:
        models: models of the same experiments, on the device of the features.
        features: the RNAs.
        flip: let each model also read the RNAs from the 3' end, and take the mean of both readings.

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


def predict_profiles(
    models: Sequence[ReactivityModel],
    sequences: Sequence[str],
    pairs_of: Callable[[str], SparsePairs] | None,
    batch_size: int,
    flip: bool,
) -> Iterator[tuple[int, Float32[np.ndarray, "L E"]]]:
    """(number, reactivity) of each sequence over `BASES`, the short ones first; see `predict`.

    Args:
        pairs_of: base pairs of a sequence; None for models that do not look at them (`needs_pairs`).
        batch_size: most sequences in a batch; no more than `BATCH_PAIRS` allow.
    """
    device = next(models[0].parameters()).device
    for numbers in _batches([len(sequence) for sequence in sequences], batch_size):
        features = make_features([sequences[n] for n in numbers], pairs_of)
        predicted = predict(models, features.to(device), flip).cpu().numpy()
        for n, profile in zip(numbers, predicted):
            yield n, profile[: len(sequences[n])].copy()


def make_features(sequences: Sequence[str], pairs_of: Callable[[str], SparsePairs] | None) -> RNAFeatures:
    """One padded batch of sequences over `BASES`, on the CPU; without `pairs_of` the pair probabilities are zero."""
    pairs = [None if pairs_of is None else pairs_of(sequence) for sequence in sequences]
    parts = [from_residues(encode_sequence(sequence), known) for sequence, known in zip(sequences, pairs)]
    return collate(parts, padded_length([len(sequence) for sequence in sequences], LENGTH_BUCKET))


def load_models(paths: Sequence[Path], device: torch.device | str = "cpu") -> list[ReactivityCheckpoint]:
    """Load checkpoints whose predictions can be averaged.

    Raises:
        InputError: as `load_reactivity_checkpoint`.
        ConfigError: two are of different experiments, or of the same in another order.
    """
    loaded = [load_reactivity_checkpoint(path, device) for path in paths]
    for one in loaded[1:]:
        first = loaded[0]
        if one.model.experiments != first.model.experiments:
            of = "; ".join(f"{c.path} predicts {', '.join(c.model.experiments)}" for c in (first, one))
            raise ConfigError(f"ckpt: models of different experiments have no mean: {of}")
    return loaded


def needs_pairs(models: Sequence[ReactivityModel]) -> bool:
    """Whether any of the models looks at base pairs."""
    return any(model.config.base_pairs != "none" for model in models)


def estimated_memory(length: int, config: EncoderConfig) -> int:
    """Bytes that predicting one RNA of `length` residues takes at its peak, a little on the high side: a fifth and
    64 MiB are added for what is not the encoder."""
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
