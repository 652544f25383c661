"""Every path × prediction × sampling method (× diffusion form) against closed forms, and the options of the samplers.

    python benchmarks/transport.py

The network is perfect, the posterior mean in closed form, so that what is wrong in a row is the transport or the
sampler. Data are a correlated Gaussian and a mixture of two modes with weights 0.3 and 0.7, in two dimensions and
float64. The exit status is 1 where a row that the sampler does not refuse is not finite or outside its tolerance:

    3 standard errors of Monte Carlo + DISCRETISATION, an allowance for the finite steps.

The standard errors are exact, from the fourth moments of the data. Deterministic methods have none on the Gaussian:
they are affine maps there, and the noise that they start from has mean 0 and covariance 1 exactly.

A method whose last step is the estimate E[x1 | x_t] of the data, at the last time t that it visits, samples that
estimate and not the data: it lacks the spread of the data given x_t. On the path Sqrt, which ends in noise, this is
no small part (column "lacks"). Errors are therefore against the exact moments of the estimate at that t.
"""

import csv
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import tyro
from torch import Tensor

from rnagen.config.sampling import SamplerConfig
from rnagen.errors import ConfigError
from rnagen.sampling.solver import solver_of
from rnagen.transport.flow import PREDICTIONS, Transport
from rnagen.transport.interpolants import PATHS, clamp_time
from rnagen.transport.sampler import Sampler
from rnagen.transport.solvers.grids import GRIDS
from rnagen.transport.solvers.ode import SLOPES
from rnagen.transport.solvers.sde import DIFFUSIONS, LAST_STEPS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the ground truth is that of the tests, which are not installed
from tests.helpers.gaussian import white_noise  # noqa: E402
from tests.helpers.mixture import ONE_MODE, TWO_MODES, Mixture  # noqa: E402

DISCRETISATION = 0.04
"""Allowance for the error of 100 steps, in the units of the columns; Euler needs most of it, others a tenth."""
SDE_METHODS, DIFFUSION_METHODS = ("euler-maruyama", "sde-heun"), ("ddpm", "ddim")
METHODS = (*SLOPES, "dopri5", *SDE_METHODS, *DIFFUSION_METHODS)
TARGETS = {"gaussian": ONE_MODE, "mixture": TWO_MODES}


@dataclass
class Options:
    """What to run."""

    n: int = 2000
    """Samples."""
    n_adaptive: int = 8
    """Samples of dopri5, which solves them one by one."""
    steps: int = 100
    """Steps of every method but dopri5."""
    out: Path = ROOT / "benchmarks" / "results" / "transport.csv"
    """The rows as CSV."""


@dataclass(frozen=True)
class Row:
    """One sampler on both targets. Errors are relative to the data's spread, those of weights absolute."""

    block: str
    path: str
    prediction: str
    method: str
    form: str = ""
    option: str = ""
    evaluations: int | None = None
    gaussian_mean: float | None = None
    gaussian_covariance: float | None = None
    gaussian_spread: float | None = None
    """Trace of the covariance over that of the data."""
    mixture_mean: float | None = None
    mixture_covariance: float | None = None
    mixture_weight: float | None = None
    lacks: float | None = None
    """Share of the mixture's variance that the estimate at the last time does not have, exact."""
    verdict: str = "pass"


@dataclass(frozen=True)
class Moments:
    """Mean [2], covariance [2, 2] and E|x − mean|⁴."""

    mean: Tensor
    covariance: Tensor
    fourth: float

    @classmethod
    def of(cls, x: Tensor, weight: Tensor) -> "Moments":
        mean = weight @ x
        centred = x - mean
        return cls(mean, (centred.T * weight) @ centred, (weight @ centred.square().sum(-1).square()).item())


def true_moments(target: Mixture, transport: Transport, ends_at: float | None) -> Moments:
    """Of the data or, where `ends_at` is a time, of the estimate of the data there."""
    c = transport.coefficients(torch.tensor([1.0 if ends_at is None else ends_at], dtype=torch.float64))
    if ends_at is None:
        c = c._replace(alpha=torch.ones_like(c.alpha), sigma=torch.zeros_like(c.sigma))
    x, weight = target.quadrature(c)
    return Moments.of(x if ends_at is None else target.estimate(x, c).data, weight)


def run(sampler: Sampler, target: Mixture, n: int) -> tuple[Tensor, int, float]:
    """Samples, evaluations for each of them, and the last time that the network was given."""
    transport, generator, times = sampler.transport, torch.Generator().manual_seed(1), []

    def network(x: Tensor, t: Tensor) -> Tensor:
        times.append(t[0].item())
        c = transport.coefficients(t[:1])  # all samples are at one time
        return getattr(target.estimate(x, c), transport.prediction)

    def draw_noise(shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    solution = sampler.solve(network, white_noise(n), draw_noise)
    if not sampler.adaptive and solution.evaluations != len(times):
        raise RuntimeError(f"{sampler.solver} reports {solution.evaluations} evaluations, but made {len(times)}")
    if any(t != clamp_time(torch.tensor(t, dtype=torch.float64)).item() for t in times):
        raise RuntimeError(f"{sampler.solver} gives the network times that are not clamped")
    return solution.x, solution.evaluations, times[-1]


def measure(row: Row, options: Options, *, checked: bool = True, **settings) -> Row:
    """`row` with its numbers. If not `checked`, it only has to be finite."""
    transport = Transport(row.path, row.prediction)
    transport.start = 0.0  # a later start takes data of mean 0 for granted
    form = {"diffusion_form": row.form} if row.form else {}
    named = {"sampling_method": row.method, "steps": options.steps, "tau": 1.0, **form, **settings}
    try:
        sampler = solver_of(SamplerConfig(**named), transport)
    except ConfigError as refusal:
        return replace(row, verdict=f"refused: {refusal}")
    n = options.n_adaptive if sampler.adaptive else options.n
    ends_on_estimate = sampler.solver.last_step == "tweedie"
    random = row.method in (*SDE_METHODS, "ddpm")
    failures = []
    for name, target in TARGETS.items():
        x, evaluations, last_time = run(sampler, target, n)
        data = true_moments(target, transport, None)
        true = true_moments(target, transport, last_time) if ends_on_estimate else data
        is_exact = name == "gaussian" and not random
        spread = data.covariance.trace()
        found = {
            "mean": (x.mean(0) - true.mean).norm() / spread.sqrt(),
            "covariance": (torch.cov(x.T) - true.covariance).norm() / data.covariance.norm(),
        }
        variance = {
            "mean": true.covariance.trace() / spread,
            "covariance": (true.fourth - true.covariance.square().sum()) / data.covariance.square().sum(),
        }
        if name == "mixture":
            share = target.weights[0]
            found["weight"] = ((target.nearest(x) == 0).double().mean() - share).abs()
            variance["weight"] = share * (1 - share)
        for quantity, error in found.items():
            tolerance = DISCRETISATION + (0 if is_exact else 3 * (variance[quantity].item() / n) ** 0.5)
            if not error.isfinite() or (checked and error > tolerance):
                failures.append(f"{name} {quantity} {error:.3f}, allowed {tolerance:.3f}")
        row = replace(row, evaluations=evaluations, **{f"{name}_{q}": round(e.item(), 4) for q, e in found.items()})
        if name == "gaussian":
            row = replace(row, gaussian_spread=round((torch.cov(x.T).trace() / spread).item(), 4))
        else:
            row = replace(row, lacks=round(1 - (true.covariance.trace() / spread).item(), 4))
    verdict = "FAILED: " + "; ".join(failures) if failures else "pass" if checked else "finite"
    return replace(row, verdict=verdict)


def forms(method: str) -> tuple[str, ...]:
    """Diffusion forms of a method; one that has none has an empty name."""
    return tuple(DIFFUSIONS) if method in SDE_METHODS else ("",)


def combinations(options: Options) -> Iterator[Row]:
    """Every path × prediction × method × form."""
    for path in PATHS:
        for prediction in PREDICTIONS:
            for method in METHODS:
                for form in forms(method):
                    yield measure(Row("combinations", path, prediction, method, form), options)


def variations(options: Options) -> Iterator[Row]:
    """Time grids, last steps, temperatures and few steps, with a network that predicts velocity."""
    for path in PATHS:
        for grid in GRIDS:
            for method in (*SLOPES, *SDE_METHODS):
                row = Row("time grid", path, "velocity", method, "annealed" if method in SDE_METHODS else "", grid)
                # Its longest steps, at the noise, are 4.6 times uniform ones: that error is reported, not allowed for.
                yield measure(row, options, checked=grid != "logarithmic", time_grid=grid)
    for path in PATHS:
        for method in SDE_METHODS:
            for last_step in LAST_STEPS:
                # A form that is not 0 at the end, where the rules would be one.
                row = Row("last step", path, "velocity", method, "constant", last_step)
                yield measure(row, options, checked=last_step == "tweedie", last_step=last_step)
    for path in PATHS:
        for method in SDE_METHODS:
            for tau in (0.0, 0.25, 0.5, 1.0):
                # Below 1 nothing is known in closed form: the spread tells.
                row = Row("temperature", path, "velocity", method, "annealed", f"tau {tau}")
                yield measure(row, options, checked=tau == 1, tau=tau)
    for path in PATHS:
        for method in (*SLOPES, *SDE_METHODS, *DIFFUSION_METHODS):
            if method in DIFFUSION_METHODS and path != "Sqrt":
                continue
            prediction = "noise" if method in DIFFUSION_METHODS else "velocity"
            for form in forms(method):
                for steps in (5, 10, 20):
                    row = Row("few steps", path, prediction, method, form, f"{steps} steps")
                    yield measure(row, options, checked=False, steps=steps)


def printed(row: Row) -> str:
    """One line of the table."""
    name = f"{row.prediction:<9} {row.method:<15} {row.form:<22} {row.option:<12}"
    if row.evaluations is None:
        return f"{name} {row.verdict}"
    numbers = (row.gaussian_mean, row.gaussian_covariance, row.gaussian_spread)
    numbers += (row.mixture_mean, row.mixture_covariance, row.mixture_weight, row.lacks)
    return f"{name} {row.evaluations:>5}" + "".join(f"{number:>8.3f}" for number in numbers) + f"  {row.verdict}"


def table(rows: Iterator[Row]) -> list[Row]:
    """Print rows as they come, a heading for each block and path."""
    done: list[Row] = []
    for row in rows:
        if not done or (done[-1].block, done[-1].path) != (row.block, row.path):
            print(f"\n{row.path}, {row.block}")
            print(f"{'':<61} {'':>5}{'Gaussian':>24}{'mixture':>24}")
            names = ("mean", "cov", "spread", "mean", "cov", "weight", "lacks")
            print(f"{'':<61} {'evals':>5}" + "".join(f"{name:>8}" for name in names))
        print(printed(row), flush=True)
        done.append(row)
    return done


def main(options: Options) -> int:
    """Print the tables, write the rows; the number of failed ones decides the exit status."""
    torch.set_num_threads(1)
    start = time.process_time()
    print(f"{options.n} samples ({options.n_adaptive} of dopri5), {options.steps} steps. Errors of mean and covariance")
    print("relative to the data's spread; standard errors of Monte Carlo:", end=" ")
    data = true_moments(TWO_MODES, Transport(), None)
    covariance = ((data.fourth / data.covariance.square().sum() - 1) / options.n).sqrt()
    print(f"mean {options.n**-0.5:.3f}, covariance {covariance:.3f}, weight {(0.21 / options.n) ** 0.5:.4f}")
    results = {"combinations": table(combinations(options)), "rows of options": table(variations(options))}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(Row.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(asdict(row) for rows in results.values() for row in rows)
    failed = [row for rows in results.values() for row in rows if row.verdict.startswith("FAILED")]
    print(f"\n{time.process_time() - start:.0f} s of one core; rows that failed:" + ("" if failed else " none"))
    for row in failed:
        print(f"{row.block} {row.path} {printed(row)}")
    for name, rows in reversed(results.items()):
        counts = Counter(row.verdict.split(":")[0] for row in rows)
        finite = f", {counts['finite']} finite" if counts["finite"] else ""
        print(
            f"{len(rows)} {name}: {counts['pass']} pass{finite}, {counts['refused']} refused, {counts['FAILED']} failed"
        )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
