"""Prediction: the mean over models and readings, clipped, whatever the batch."""

import pytest
import torch

from rnagen.features import RNAFeatures
from rnagen.reactivity.flip import flipped_features
from rnagen.reactivity.infer import predict
from rnagen.reactivity.model import ReactivityModel
from tests.reactivity.test_encoders import KINDS, padded, random_features
from tests.reactivity.test_reactivity_model import EXPERIMENTS, tiny_reactivity_model


def readings(model: ReactivityModel, features: RNAFeatures) -> list[torch.Tensor]:
    """What one model says of unpadded RNAs, read from either end."""
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


def test_no_gradient_is_kept() -> None:
    assert not predict([tiny_reactivity_model()], random_features(5), flip=True).requires_grad


def test_models_of_other_experiments_are_refused() -> None:
    model = tiny_reactivity_model()
    other = ReactivityModel(model.config, tuple(reversed(EXPERIMENTS)))
    for models in ([], [model, other]):
        with pytest.raises(ValueError, match="experiments"):
            predict(models, random_features(5), flip=False)
