"""Options of sampling: each name exists, and what cannot be combined is refused by name."""

import typing
from dataclasses import replace

import pytest

from rnagen.config import sampling as sampling_options
from rnagen.config import structure as options
from rnagen.config.sampling import SamplerConfig
from rnagen.config.structure import TransportConfig
from rnagen.errors import ConfigError
from rnagen.sampling.solver import check_sampling
from rnagen.transport.flow import LOSS_WEIGHTS, PREDICTIONS
from rnagen.transport.interpolants import PATHS
from rnagen.transport.solvers.grids import GRIDS
from rnagen.transport.solvers.sde import DIFFUSIONS, LAST_STEPS
from rnagen.transport.times import QUANTILES
from tests.helpers.tiny import CONDITIONED, LABELLED, TINY

OPTIONS = SamplerConfig(steps=4, tau=0.5)


@pytest.mark.parametrize(
    ("literal", "names"),
    [
        (options.PathType, PATHS),
        (options.Prediction, PREDICTIONS),
        (options.LossWeight, LOSS_WEIGHTS),
        (options.TimeDistribution, QUANTILES),
        (sampling_options.TimeGrid, GRIDS),
        (sampling_options.DiffusionForm, DIFFUSIONS),
        (sampling_options.LastStep, LAST_STEPS),
    ],
)
def test_every_name_of_the_transport_is_an_option(literal, names) -> None:
    """The options are spelled out in rnagen.config.structure, which must not import torch: the two lists are one."""
    assert set(typing.get_args(literal)) == set(names)


UNDROPPED = replace(LABELLED, dataset=replace(LABELLED.dataset, label_dropout=0.0))
OTHER_LABELS = replace(LABELLED, model=replace(LABELLED.model, categories=("tRNA", "riboswitch")))
GUIDED = replace(TINY, dataset=replace(TINY.dataset, condition_dropout=0.1))


@pytest.mark.parametrize(
    ("options", "train", "guide", "message"),
    [
        ({"sampling_method": "ddpm"}, TINY, None, "ddpm is for the path Sqrt"),
        ({"sampling_method": "dopri5", "time_grid": "quadratic"}, TINY, None, "dopri5 chooses its own times"),
        ({"sampling_method": "dopri5", "diversity": 1.0}, TINY, None, "diversity: dopri5"),
        ({"cfg_scale": 2.0}, TINY, None, "without --condition-dropout"),
        ({"secondary_structures": "sampled"}, TINY, None, "without --secondary-structure"),
        (
            {"secondary_structures": "sampled", "diversity": 1.0},
            CONDITIONED,
            None,
            "diversity: conformers of different",
        ),
        ({"cfg_scale": 2.0}, UNDROPPED, None, "cfg_scale: this model was trained with --label-dropout 0"),
        ({"cfg_scale": 2.0}, LABELLED, OTHER_LABELS, "guide_ckpt: the guide was trained with other categories"),
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


def test_guidance_needs_masked_conditions_in_training_or_a_guide() -> None:
    check_sampling(GUIDED, replace(OPTIONS, cfg_scale=2.0))
    check_sampling(TINY, replace(OPTIONS, cfg_scale=2.0), TINY)
    check_sampling(LABELLED, replace(OPTIONS, cfg_scale=2.0))
    for guide in (TINY, LABELLED):
        check_sampling(LABELLED, replace(OPTIONS, cfg_scale=2.0), guide)
