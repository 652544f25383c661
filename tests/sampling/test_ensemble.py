"""Conformers: a function of seed, name and number; failures counted, never written."""

import typing
from dataclasses import replace

import pytest
import torch

from rnagen.config import sampling as sampling_options
from rnagen.config import structure as options
from rnagen.config.encoder import EncoderConfig
from rnagen.config.sampling import SamplerConfig, SamplingMethod
from rnagen.config.structure import TransportConfig
from rnagen.errors import ConfigError
from rnagen.features import RNAFeatures
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.model.model import RNAFlowModel
from rnagen.sampling.denoiser import Denoiser, Guide
from rnagen.sampling.ensemble import (
    SamplingError,
    check_sampling,
    conformer_generator,
    draw_ensemble,
    estimated_memory,
    features_of,
    make_sampler,
    sample_conformers,
    usable,
)
from rnagen.sampling.secondary import sampled_secondary_structures
from rnagen.structure import PAIR_FEATURES
from rnagen.transport import DIFFUSIONS, GRIDS, LAST_STEPS, PATHS, PREDICTIONS, QUANTILES, SAMPLING_METHODS
from rnagen.transport.flow import LOSS_WEIGHTS, Transport
from tests.helpers.encoders import KINDS
from tests.helpers.tiny import TINY, tiny_model

SEQUENCE = "GGGAAACUUCGGUUUCCC"
OPTIONS = SamplerConfig(steps=4, tau=0.5)


@pytest.fixture(scope="module")
def model() -> RNAFlowModel:
    return tiny_model()


@pytest.fixture(scope="module")
def features() -> RNAFeatures:
    return features_of(SEQUENCE)


def sample(model, features, conformers, name="r", seed=0, options=OPTIONS) -> torch.Tensor:
    return sample_conformers(model, make_sampler(TINY.transport, options), features, name, conformers, options, seed)[0]


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


@pytest.mark.parametrize("method", typing.get_args(SamplingMethod))
def test_every_method_samples(model, features, method: str) -> None:
    options = replace(OPTIONS, sampling_method=method)
    transport = TransportConfig("Sqrt", "noise") if method in ("ddpm", "ddim") else TransportConfig()
    coords, evaluations = sample_conformers(model, make_sampler(transport, options), features, "r", [0, 1], options, 0)
    assert coords.shape == (2, len(SEQUENCE), 4, 3)
    assert usable(coords).all()
    torch.testing.assert_close(coords.mean((1, 2)), torch.zeros(2, 3), atol=1e-3, rtol=0)
    # The last of the four steps takes one evaluation in every method.
    stages = {"midpoint": 2, "heun": 2, "rk4": 4, "sde-heun": 2}.get(method, 1)
    assert method == "dopri5" or evaluations == 3 * stages + 1


def test_temperature_zero_still_depends_on_the_first_noise(model, features) -> None:
    cold = sample(model, features, [0, 1], options=replace(OPTIONS, tau=0.0))
    assert (cold[0] - cold[1]).abs().max() > 0.1


TOLD = replace(TINY, model=replace(TINY.model, secondary_structure=True, pair_features=("langdon2018",)))


def sampled(model, features, conformers: int, options: SamplerConfig, name: str = "r") -> torch.Tensor:
    ensemble = draw_ensemble(model, TINY.transport, features, name, SEQUENCE, conformers, options, 0)
    return torch.from_numpy(ensemble.structure.coords)


def test_a_drawn_fold_depends_on_seed_name_and_number_alone() -> None:
    model, told = tiny_model(TOLD), features_of(SEQUENCE, pair_features=True)
    options = replace(OPTIONS, secondary_structures="drawn")
    eight = sampled(model, told, 8, options)
    torch.testing.assert_close(sampled(model, told, 3, options), eight[:3], atol=1e-3, rtol=0)
    assert (sampled(model, told, 3, options, name="s") - eight[:3]).abs().max() > 0.1
    free = sampled(model, told, 8, OPTIONS)
    assert (free - eight).abs().amax(dim=(1, 2, 3)).min() > 1e-3


def test_folds_come_with_the_conformers_that_have_them() -> None:
    told = features_of(SEQUENCE)
    groups = sampled_secondary_structures(told, SEQUENCE, "r", list(range(40)), seed=0)
    assert sorted(k for some, _ in groups for k in some) == list(range(40))
    assert 1 < len(groups) < 40
    for some, seen in groups:
        (alone,) = sampled_secondary_structures(told, SEQUENCE, "r", some[:1], seed=0)
        assert torch.equal(alone[1].pair_table, seen.pair_table)


def test_a_fold_that_is_given_is_the_fold_of_all() -> None:
    model = tiny_model(TOLD)
    given = features_of(SEQUENCE, pair_features=True, pair_table=parse_dot_bracket("(((............)))"))
    assert torch.equal(
        sampled(model, given, 2, OPTIONS), sampled(model, given, 2, replace(OPTIONS, secondary_structures="drawn"))
    )
    other = features_of(SEQUENCE, pair_features=True)
    assert (sampled(model, given, 2, OPTIONS) - sampled(model, other, 2, OPTIONS)).abs().max() > 1e-3


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

    def forward(self, x_t, t, context, previous=None):
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


def test_memory_grows_by_the_evidence() -> None:
    told = replace(TINY.model, pair_features=("turner1999",))
    more = estimated_memory(900, 5, told, OPTIONS) - estimated_memory(900, 5, TINY.model, OPTIONS)
    # All channels that there are, whichever the model reads.
    assert more >= 4 * 900**2 * len(PAIR_FEATURES)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_grows_by_the_encoder(kind: str) -> None:
    encoder = EncoderConfig(encoder=kind)
    alone, both = (estimated_memory(900, 5, TINY.model, OPTIONS, e) for e in (None, encoder))
    assert both >= alone
    # What reading an RNA of 1500 nt was measured to take, in matrices of the size of its base pairs.
    measured = {"transformer": 27, "squeezeformer": 66, "convformer": 244}[kind]
    need = estimated_memory(1500, 1, replace(TINY.model, pair_dim=1, num_layers=1), OPTIONS, encoder)
    assert measured < need / (4 * 1500**2) < 1.5 * measured + 40


@pytest.mark.parametrize(
    ("literal", "names"),
    [
        (options.PathType, PATHS),
        (options.Prediction, PREDICTIONS),
        (options.LossWeight, LOSS_WEIGHTS),
        (options.TimeDistribution, QUANTILES),
        (sampling_options.SamplingMethod, SAMPLING_METHODS),
        (sampling_options.TimeGrid, GRIDS),
        (sampling_options.DiffusionForm, DIFFUSIONS),
        (sampling_options.LastStep, LAST_STEPS),
    ],
)
def test_every_name_of_the_transport_is_an_option(literal, names) -> None:
    """The options are spelled out in rnagen.config.structure, which must not import torch: the two lists are one."""
    assert set(typing.get_args(literal)) == set(names)


GUIDED = replace(TINY, dataset=replace(TINY.dataset, condition_dropout=0.1))


@pytest.mark.parametrize(
    ("options", "train", "guide", "message"),
    [
        ({"sampling_method": "ddpm"}, TINY, None, "ddpm is for the path Sqrt"),
        ({"sampling_method": "dopri5", "time_grid": "quadratic"}, TINY, None, "dopri5 chooses its own times"),
        ({"sampling_method": "dopri5", "diversity": 1.0}, TINY, None, "diversity: dopri5"),
        ({"cfg_scale": 2.0}, TINY, None, "without --condition-dropout"),
        ({"secondary_structures": "drawn"}, TINY, None, "fold: this model was trained without --secondary-structure"),
        ({"secondary_structures": "drawn", "diversity": 1.0}, TOLD, None, "diversity: conformers of different folds"),
        ({"cfg_scale": 1.0}, TINY, TINY, "guide_ckpt: has no effect"),
        (
            {"cfg_scale": 2.0},
            TINY,
            replace(TINY, transport=TransportConfig("GVP")),
            "guide_ckpt: path_type is GVP in the guide, Linear in the model",
        ),
        (
            {"cfg_scale": 2.0},
            TINY,
            replace(TINY, model=replace(TINY.model, atoms=("C1'",))),
            "guide_ckpt: atoms is",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(options, train, guide, message) -> None:
    with pytest.raises(ConfigError, match=message):
        check_sampling(train, replace(OPTIONS, **options), guide)


def test_guidance_needs_hidden_conditions_in_training_or_a_guide() -> None:
    check_sampling(GUIDED, replace(OPTIONS, cfg_scale=2.0))
    check_sampling(TINY, replace(OPTIONS, cfg_scale=2.0), TINY)


def test_guidance_by_oneself_changes_nothing_but_the_count(model, features) -> None:
    """u + w·(c − u) with c = u is c."""
    guide = Guide(model, Transport())
    options = replace(OPTIONS, cfg_scale=3.0)
    sampler = make_sampler(TINY.transport, options)
    coords, evaluations = sample_conformers(model, sampler, features, "r", [0, 1], options, 0, guide=guide)
    assert evaluations == 8
    torch.testing.assert_close(coords, sample(model, features, [0, 1]), atol=5e-2, rtol=0)


def test_guidance_goes_away_from_the_model_without_conditions(model, features) -> None:
    plain, weak, strong = (sample(model, features, [0], options=replace(OPTIONS, cfg_scale=w)) for w in (1.0, 1.5, 3.0))
    assert 0.01 < (weak - plain).abs().max() < (strong - plain).abs().max()
    # Without conditions there is nothing to go away from.
    blank = features.without_condition()
    same, guided = (sample(model, blank, [0], options=replace(OPTIONS, cfg_scale=w)) for w in (1.0, 3.0))
    torch.testing.assert_close(guided, same, atol=5e-2, rtol=0)


def test_diversity_zero_is_independent_and_more_moves_conformers_apart(model, features, monkeypatch) -> None:
    # The conformers of an untrained model are further apart than those that repel each other in earnest.
    monkeypatch.setattr("rnagen.sampling.denoiser.BANDWIDTH", 60.0)
    independent = sample(model, features, [0, 1, 2])
    assert torch.equal(sample(model, features, [0, 1, 2], options=replace(OPTIONS, diversity=0.0)), independent)
    apart = sample(model, features, [0, 1, 2], options=replace(OPTIONS, diversity=3.0))
    assert (apart - independent).abs().max() > 1e-2
    alone = sample(model, features, [0], options=replace(OPTIONS, diversity=3.0))
    torch.testing.assert_close(alone, sample(model, features, [0]), atol=1e-2, rtol=0)


def test_self_conditioning_hands_the_last_estimate_on(features) -> None:
    config = replace(TINY, model=replace(TINY.model, self_conditioning=True))
    model = tiny_model(config)
    x, t = torch.randn(2, len(SEQUENCE), 4, 3), torch.full((2,), 0.5)
    with torch.no_grad():
        denoiser = Denoiser(model, Transport(), features, chunk=0, remembers=True, draft_noise=x[0])
        first, second = denoiser(x, t), denoiser(x, t)
        _, context = model.encode(features)
        previous = Transport().data(first, x, t)
        torch.testing.assert_close(second, model(x[None], t[None], context, previous[None])[0])
        assert (first != second).any()
        forgets = Denoiser(model, Transport(), features, chunk=0, remembers=False, draft_noise=x[0])
        assert torch.equal(forgets(x, t), first)
        assert torch.equal(forgets(x, t), first)


def test_a_broken_conformer_that_repels_others_is_drawn_again_with_them(features) -> None:
    options = replace(OPTIONS, diversity=1.0)
    ensemble = draw_ensemble(Fragile(1), TINY.transport, features, "r", SEQUENCE, 3, options, 0)
    assert ensemble.redrawn == 3
