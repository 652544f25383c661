"""The solver that the options name, for a model trained on a transport."""

from rnagen.config.sampling import SamplerConfig
from rnagen.config.structure import TrainConfig
from rnagen.errors import ConfigError
from rnagen.transport.flow import Transport
from rnagen.transport.sampler import Sampler
from rnagen.transport.solvers.diffusion import Ddim
from rnagen.transport.solvers.ode import Dopri5, Ode
from rnagen.transport.solvers.sde import EulerMaruyama, SdeHeun
from rnagen.transport.solvers.solver import Solver


def solver_of(options: SamplerConfig, transport: Transport) -> Sampler:
    """The solver for models of `transport`. Equations begin at the start of the transport, discrete diffusion at its
    noisiest level.

    Raises:
        ConfigError: an option that cannot be used, or a combination that does not exist.
    """
    try:
        return Sampler(transport, _solver(options, transport))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _solver(options: SamplerConfig, transport: Transport) -> Solver:
    method, steps, grid, start = options.sampling_method, options.steps, options.time_grid, transport.start
    if method in ("dopri5", "ddpm", "ddim") and grid != "uniform":
        raise ValueError(f"{method} chooses its own times and has no time grid {grid!r}")
    if method == "dopri5":
        return Dopri5(start=start, last_step="none" if transport.closes else "tweedie")
    if method in ("ddpm", "ddim"):
        return Ddim(steps, eta=1.0 if method == "ddpm" else 0.0, tau=options.tau)
    if method in ("euler-maruyama", "sde-heun"):
        kind = EulerMaruyama if method == "euler-maruyama" else SdeHeun
        return kind(steps, grid, start, tau=options.tau, diffusion=options.diffusion_form, last_step=options.last_step)
    return Ode(steps, grid, start, method=method)


def expected_evaluations(options: SamplerConfig) -> int:
    """Evaluations of the model per conformer, without those of a guide; about as many as dopri5 chooses."""
    per_step = {"midpoint": 2, "heun": 2, "sde-heun": 2, "rk4": 4, "dopri5": 6}.get(options.sampling_method, 1)
    return 1 + per_step * (options.steps - 1)


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
        raise ConfigError("diversity: conformers of different secondary structures cannot repel each other")
    if config.model.num_conformers > 1 and options.sampling_method == "dopri5":
        raise ConfigError("sampling_method: dopri5 solves conformers one by one, this model samples them in groups")
    if options.diversity and options.sampling_method == "dopri5":
        raise ConfigError("diversity: dopri5 solves conformers one by one, so they cannot repel each other")
    if guide is None:
        data = config.dataset
        if options.cfg_scale != 1 and data.labels is not None and not data.label_dropout:
            raise ConfigError(
                "cfg_scale: this model was trained with --label-dropout 0 and needs its label; "
                "guide it by a worse model (--guide-ckpt)"
            )
        if options.cfg_scale != 1 and data.labels is None and not data.condition_dropout:
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
    if config.model.num_conformers % guide.model.num_conformers:
        raise ConfigError(
            f"guide_ckpt: the guide samples conformers in groups of {guide.model.num_conformers}, "
            f"which do not make up the model's of {config.model.num_conformers}"
        )
    if config.model.categories and guide.model.categories not in ((), config.model.categories):
        raise ConfigError("guide_ckpt: the guide was trained with other categories of labels than the model")
