"""Flow matching between noise and data: paths, predictions, training targets, samplers. Knows nothing about RNA."""

from rnagen.transport.flow import LOSS_WEIGHTS, TrainingPair, Transport
from rnagen.transport.guidance import guided
from rnagen.transport.interpolants import PATHS, Coefficients
from rnagen.transport.likelihood import log_likelihood
from rnagen.transport.particles import Repulsion, repulsion
from rnagen.transport.prediction import PREDICTIONS, Ends, convert
from rnagen.transport.solvers.churn import Churn, renoise
from rnagen.transport.solvers.diffusion import DIFFUSION_METHODS, GaussianDiffusion, sample_diffusion
from rnagen.transport.solvers.grids import GRIDS, time_grid
from rnagen.transport.solvers.ode import METHODS, Solution, integrate
from rnagen.transport.solvers.sampler import SAMPLING_METHODS, Sampler
from rnagen.transport.solvers.sde import (
    DIFFUSIONS,
    LAST_STEPS,
    SDE_METHODS,
    Estimate,
    diffusion_coefficient,
    integrate_sde,
)
from rnagen.transport.times import QUANTILES, draw_times

__all__ = [
    "DIFFUSIONS",
    "DIFFUSION_METHODS",
    "GRIDS",
    "LAST_STEPS",
    "LOSS_WEIGHTS",
    "METHODS",
    "PATHS",
    "PREDICTIONS",
    "QUANTILES",
    "SAMPLING_METHODS",
    "SDE_METHODS",
    "Churn",
    "Coefficients",
    "Ends",
    "Estimate",
    "GaussianDiffusion",
    "Repulsion",
    "Sampler",
    "Solution",
    "TrainingPair",
    "Transport",
    "convert",
    "diffusion_coefficient",
    "draw_times",
    "guided",
    "integrate",
    "integrate_sde",
    "log_likelihood",
    "renoise",
    "repulsion",
    "sample_diffusion",
    "time_grid",
]
