"""Conformers: a function of seed, name and number; failures counted, never written."""

from dataclasses import replace

import pytest
import torch

from rnagen.config import SamplerConfig
from rnagen.features import RNAFeatures
from rnagen.model.model import RNAFlowModel
from rnagen.sampling import (
    SamplingError,
    conformer_generator,
    draw_ensemble,
    estimated_memory,
    features_of,
    sample_conformers,
    usable,
)
from rnagen.transport.transport import Transport
from tests.tiny import TINY, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"
OPTIONS = SamplerConfig(steps=4, tau=0.5)


@pytest.fixture(scope="module")
def model() -> RNAFlowModel:
    return tiny_model()


@pytest.fixture(scope="module")
def features() -> RNAFeatures:
    return features_of(SEQUENCE)


def sample(model, features, conformers, name="r", seed=0, options=OPTIONS) -> torch.Tensor:
    return sample_conformers(model, Transport(), features, name, conformers, options, seed)[0]


def test_features_hold_the_hairpin(features: RNAFeatures) -> None:
    assert features.pair_probabilities[0, 0, -1] > 0.5
    torch.testing.assert_close(features.pair_probabilities, features.pair_probabilities.mT)


def test_a_conformer_depends_on_seed_name_and_number_alone(model, features) -> None:
    five = sample(model, features, [0, 1, 2, 3, 4])
    alone = sample(model, features, [3])
    torch.testing.assert_close(alone[0], five[3], atol=1e-3, rtol=0)
    assert torch.equal(sample(model, features, [0, 1, 2, 3, 4]), five)
    for other in (
        sample(model, features, [3], name="s"),
        sample(model, features, [3], seed=1),
        sample(model, features, [2]),
    ):
        assert (other[0] - five[3]).abs().max() > 0.1


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_the_chunk_changes_rounding_only(model, features, chunk: int) -> None:
    expected = sample(model, features, list(range(5)))
    got = sample(model, features, list(range(5)), options=replace(OPTIONS, chunk=chunk))
    assert (got - expected).abs().max() < 1e-3


@pytest.mark.parametrize("method", ["euler", "heun", "dopri5", "euler-maruyama"])
def test_every_method_samples(model, features, method: str) -> None:
    options = replace(OPTIONS, sampling_method=method)
    coords, evaluations = sample_conformers(model, Transport(), features, "r", [0, 1], options, 0)
    assert coords.shape == (2, len(SEQUENCE), 4, 3)
    assert usable(coords).all()
    torch.testing.assert_close(coords.mean((1, 2)), torch.zeros(2, 3), atol=1e-3, rtol=0)
    expected = {"euler": 4, "heun": 8, "euler-maruyama": 4}
    assert evaluations == expected.get(method, evaluations)


def test_temperature_zero_still_depends_on_the_first_noise(model, features) -> None:
    cold = sample(model, features, [0, 1], options=replace(OPTIONS, tau=0.0))
    assert (cold[0] - cold[1]).abs().max() > 0.1


def test_generators_differ() -> None:
    numbers = {
        float(torch.rand(1, generator=conformer_generator(seed, name, k, attempt)))
        for seed in (0, 1)
        for name in ("a", "b", "a\x000")
        for k in (0, 1)
        for attempt in (0, 1)
    }
    assert len(numbers) == 24


class Fragile(RNAFlowModel):
    """Answers NaN for as many first calls as told, then zero."""

    def __init__(self, failures: int) -> None:
        super().__init__(TINY.model)
        self.failures = failures

    def forward(self, x_t, t, context):
        self.failures -= 1
        out = torch.zeros_like(x_t)
        if self.failures >= 0:
            out[:, 0] = float("nan")
        return out


def test_a_broken_conformer_is_drawn_again_and_counted(features) -> None:
    ensemble = draw_ensemble(Fragile(1), TINY.transport, features, "r", SEQUENCE, 3, OPTIONS, 0)
    assert ensemble.redrawn == 1
    assert torch.isfinite(torch.from_numpy(ensemble.structure.coords)).all()
    untouched = draw_ensemble(Fragile(0), TINY.transport, features, "r", SEQUENCE, 3, OPTIONS, 0)
    assert untouched.redrawn == 0
    # Only the broken one is another draw.
    assert (ensemble.structure.coords[1:] == untouched.structure.coords[1:]).all()
    assert (ensemble.structure.coords[0] != untouched.structure.coords[0]).any()


def test_a_conformer_that_stays_broken_is_an_error(features) -> None:
    with pytest.raises(SamplingError, match="r: conformers 1 had non-finite"):
        draw_ensemble(Fragile(1000), TINY.transport, features, "r", SEQUENCE, 2, OPTIONS, 0)


def test_exploded_coordinates_are_not_usable() -> None:
    coords = torch.zeros(3, 4, 4, 3)
    coords[1, 2, 1, 0] = 6000.0
    coords[2, 0, 0, 0] = float("inf")
    assert usable(coords).tolist() == [True, False, False]


def test_memory_grows_with_length_and_shrinks_with_the_chunk() -> None:
    need = [estimated_memory(length, 5, TINY.model, OPTIONS) for length in (100, 200, 4000)]
    assert need == sorted(need)
    assert need[2] > 10 * need[1]
    all_at_once, one_by_one = (replace(OPTIONS, chunk=chunk) for chunk in (50, 1))
    assert estimated_memory(900, 50, TINY.model, all_at_once) > 2 * estimated_memory(900, 50, TINY.model, one_by_one)
