"""The solver that the options name, for a model trained on a transport."""

from rnagen.config.sampling import SamplerConfig
from rnagen.config.structure import TrainConfig
from rnagen.errors import ConfigError
from rnagen.transport.flow import Transport
from rnagen.transport.solvers.diffusion import DIFFUSION_METHODS
from rnagen.transport.solvers.sampler import Sampler


def solver_of(options: SamplerConfig, transport: Transport) -> Sampler:
    """The solver for models of `transport`. Equations begin at the start of the transport, discrete diffusion at its
    noisiest level.

    Raises:
        ConfigError: a combination that does not exist.
    """
    start = 0.0 if options.sampling_method in DIFFUSION_METHODS else transport.start
    try:
        return Sampler(
            transport,
            options.sampling_method,
            options.steps,
            options.time_grid,
            options.tau,
            options.diffusion_form,
            options.last_step,
            options.churn,
            start,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def check_sampling(config: TrainConfig, options: SamplerConfig, guide: TrainConfig | None = None) -> None:
    """Refuse options that a model of this configuration, and its guide, cannot be sampled with.

    Raises:
        ConfigError: names the option, and why it cannot be used.
    """
    solver_of(options, Transport(config.transport.path_type, config.transport.prediction))
    if options.secondary_structures == "sampled" and not config.model.secondary_structure:
        raise ConfigError(
            "secondary_structures: this model was trained without --secondary-structure and cannot read one"
        )
    if options.secondary_structures == "sampled" and options.diversity:
        raise ConfigError(
            "diversity: conformers of different secondary structures are drawn apart and cannot repel each other"
        )
    if options.diversity and options.sampling_method == "dopri5":
        raise ConfigError("diversity: dopri5 solves conformers one by one, so they cannot repel each other")
    if guide is None:
        if options.cfg_scale != 1 and not config.dataset.condition_dropout:
            raise ConfigError(
                "cfg_scale: this model was trained without --condition-dropout and needs its conditions; "
                "guide it by a worse model (--guide-ckpt)"
            )
        return
    if options.cfg_scale == 1:
        raise ConfigError("guide_ckpt: has no effect with --cfg-scale 1")
    for name, one, other in (
        ("atoms", config.model.atoms, guide.model.atoms),
        ("sigma_data", config.model.sigma_data, guide.model.sigma_data),
        ("path_type", config.transport.path_type, guide.transport.path_type),
    ):
        if one != other:
            raise ConfigError(f"guide_ckpt: {name} is {other} in the guide, {one} in the model")
