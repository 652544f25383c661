"""Prediction: the mean over models and readings, clipped, whatever the batch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rnagen.checkpoints.reactivity import ReactivityCheckpoint
from rnagen.config.encoder import EncoderConfig
from rnagen.features import RNAFeatures
from rnagen.io.reactivity_table import ReactivityTable
from rnagen.io.target import Target
from rnagen.model.reactivity import ReactivityModel
from rnagen.secondary.vienna import sparse_base_pairs
from rnagen.tasks.reactivity import infer
from rnagen.tasks.reactivity.dataset import ReactivityDataset, flipped_features, reactivity_batch, trainable
from rnagen.tasks.reactivity.infer import estimated_memory, make_features, needs_pairs, predict, predict_reactivity
from rnagen.tasks.reactivity.pairs import MappedPairs
from tests.helpers.encoders import EXPERIMENTS, KINDS, padded, random_features, tiny_reactivity_model
from tests.helpers.profiles import make_profiles, random_sequence, write_profiles


def readings(model: ReactivityModel, features: RNAFeatures) -> list[torch.Tensor]:
    """Output of one model for unpadded RNAs, read from either end."""
    with torch.no_grad():
        return [model(features), model(flipped_features(features)).flip(1)]


def test_the_mean_of_models_and_readings_is_clipped_once() -> None:
    models, features = [tiny_reactivity_model(kind) for kind in KINDS], random_features(9)
    every = [readings(model, features) for model in models]
    mean = torch.stack([reading for both in every for reading in both]).mean(0)
    assert mean.min() < 0, "so that clipping acts"
    torch.testing.assert_close(predict(models, features, flip=True), mean.clamp(0, 1))
    one_way = torch.stack([both[0] for both in every]).mean(0).clamp(0, 1)
    torch.testing.assert_close(predict(models, features, flip=False), one_way)
    assert (mean.clamp(0, 1) - one_way).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_zero_and_changes_nothing(kind: str) -> None:
    models, features = [tiny_reactivity_model(kind)], random_features(9)
    out = predict(models, padded(features, 5), flip=True)
    torch.testing.assert_close(out[:, :9], predict(models, features, flip=True), atol=1e-5, rtol=1e-5)
    assert not out[:, 9:].any()


def test_a_flipped_rna_has_the_flipped_prediction() -> None:
    models, features = [tiny_reactivity_model()], random_features(9)
    there, back = (predict(models, given, flip=True) for given in (features, flipped_features(features)))
    torch.testing.assert_close(back.flip(1), there)


def test_no_gradient_is_stored() -> None:
    assert not predict([tiny_reactivity_model()], random_features(5), flip=True).requires_grad


def test_models_of_other_experiments_are_refused() -> None:
    model = tiny_reactivity_model()
    other = ReactivityModel(model.config, tuple(reversed(EXPERIMENTS)))
    for models in ([], [model, other]):
        with pytest.raises(ValueError, match="experiments"):
            predict(models, random_features(5), flip=False)


def test_features_are_those_of_training(tmp_path) -> None:
    table = ReactivityTable.open(write_profiles(make_profiles(3), tmp_path / "a.parquet"), tmp_path)
    sequences = table.sequences()
    dataset = ReactivityDataset(table, trainable(table), MappedPairs.of(sequences, tmp_path))
    batch = reactivity_batch([dataset[n] for n in range(3)]).features
    for name, value in vars(make_features(sequences, sparse_base_pairs)).items():
        torch.testing.assert_close(value, getattr(batch, name), msg=name)
    assert not make_features(sequences, None).pair_probabilities.any()
    assert batch.pair_probabilities.any()


@pytest.mark.parametrize(("batch_size", "pairs"), [(1, 2**20), (3, 2**20), (100, 2 * 30**2), (100, 1), (100, 2**20)])
def test_every_sequence_has_its_profile_once(batch_size: int, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infer, "BATCH_PAIRS", pairs)
    asked: list[int] = []

    def watched(models, features: RNAFeatures, flip: bool) -> torch.Tensor:
        asked.append(len(features.bases))
        lengths = features.mask.sum(1)
        assert asked[-1] == 1 or asked[-1] * int(lengths.max()) ** 2 <= pairs
        assert asked[-1] <= batch_size
        return predict(models, features, flip)

    monkeypatch.setattr(infer, "predict", watched)
    models = [tiny_reactivity_model()]
    sequences = [random_sequence(length, 0) for length in (30, 7, 12, 30, 1, 9)]
    targets = [Target(str(n), sequence) for n, sequence in enumerate(sequences)]
    checkpoints = [ReactivityCheckpoint(model, {}, Path("a.safetensors"), "") for model in models]
    found = predict_reactivity(targets, checkpoints, batch_size)
    assert list(found.profiles) == [target.name for target in targets]
    assert (found.experiments, found.failures) == (EXPERIMENTS, [])
    assert sum(asked) == 6
    assert len(asked) == {1: 6, 3: 2}.get(batch_size, len(asked))
    for sequence, profile in zip(sequences, found.profiles.values(), strict=True):
        (alone,) = predict(models, make_features([sequence], sparse_base_pairs), True)
        np.testing.assert_allclose(profile, alone[: len(sequence)].numpy(), atol=1e-5)


def test_pairs_are_needed_by_any_model_that_reads_them() -> None:
    model = tiny_reactivity_model()
    blind = ReactivityModel(replace(model.config, base_pairs="none"), EXPERIMENTS)
    assert needs_pairs([blind, model])
    assert not needs_pairs([blind])


def test_the_memory_grows_with_the_square_and_with_what_is_held() -> None:
    def need(length: int, **changes) -> int:
        return estimated_memory(length, EncoderConfig(**changes))

    assert 3.5 < need(8000) / need(4000) < 4.1
    assert need(1000) < need(1000, encoder="squeezeformer") < need(1000, encoder="convformer")
    assert need(1000, base_pairs="bias") > 2 * need(1000, base_pairs="projection")
    assert need(1000, encoder="convformer", encoder_pair_dim=32) > 1.5 * need(1000, encoder="convformer")
