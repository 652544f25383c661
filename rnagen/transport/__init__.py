"""Flow matching between noise and data: paths, predictions, training targets and solvers. Knows nothing about RNA."""

from rnagen.transport.interpolants import PATHS, Coefficients
from rnagen.transport.prediction import PREDICTIONS, Ends, convert
from rnagen.transport.sde import DIFFUSIONS, integrate_sde
from rnagen.transport.solvers import GRIDS, METHODS, Solution, integrate
from rnagen.transport.times import QUANTILES, draw_times
from rnagen.transport.transport import LOSS_WEIGHTS, TrainingPair, Transport

__all__ = [
    "DIFFUSIONS",
    "GRIDS",
    "LOSS_WEIGHTS",
    "METHODS",
    "PATHS",
    "PREDICTIONS",
    "QUANTILES",
    "Coefficients",
    "Ends",
    "Solution",
    "TrainingPair",
    "Transport",
    "convert",
    "draw_times",
    "integrate",
    "integrate_sde",
]
