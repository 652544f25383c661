"""Sampling against the plain way: the trunk evaluated at every step, conformers one by one, dopri5.

    python benchmarks/plain_reference.py

Both use the same weights, noise and threads, without templates, for RNAs of the template library that were released
after the training data. The TM-score (matched) is that of the conformers with the structure of the library, on average.
"""

from collections.abc import Callable

import torch
from timing import Row, benchmark, digits, markdown, seconds
from torch import Tensor

from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.dates import NO_DATE
from rnagen.features import RNAFeatures, from_sequence
from rnagen.metrics import tm_scores
from rnagen.sampling.conformers import conformer_generator, draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.sampling.solver import solver_of
from rnagen.templates.library import C1, Library

LENGTHS = (50, 100)
"""nt, from and to."""


class Plain:
    """A conformer as the equations describe it."""

    def __init__(self, flow: Flow, features: RNAFeatures) -> None:
        self.flow, self.features, self.evaluations = flow, features, 0

    def network(self, x: Tensor, t: Tensor) -> Tensor:
        """The velocity, from nothing that was computed before."""
        self.evaluations += 1
        return self.flow.model(x[None], t[None], self.flow.model.condition(self.features))[0]

    def conformer(self, name: str, number: int) -> Tensor:
        """Coordinates [L, A, 3] in Å."""
        generator = conformer_generator(0, name, number)
        config = self.flow.model.config

        def noise(shape: torch.Size) -> Tensor:
            return centred(torch.randn(shape, generator=generator))

        solver = solver_of(SamplerConfig(sampling_method="dopri5"), self.flow.transport)
        start = noise(torch.Size([1, self.features.bases.shape[1], len(config.atoms), 3]))
        return solver.solve(self.network, start, noise, project=centred).x[0] * config.sigma_data


def centred(x: Tensor) -> Tensor:
    """About the origin."""
    return x - x.mean(dim=(1, 2), keepdim=True)


def measure(quick: bool) -> list[Row]:
    """A row for each RNA and way."""
    checkpoint, library = load_checkpoint(DEFAULT_CHECKPOINT), Library.open()
    flow, n = Flow.of(checkpoint), 1 if quick else 3
    column = flow.model.config.atoms.index("C1'")
    rows: list[Row] = []
    for row in later_chains(library, checkpoint.metadata["cutoff"])[: 1 if quick else 3]:
        chain = library.chain(row)
        native, mask = torch.from_numpy(chain.coords[:, C1]), torch.from_numpy(chain.mask[:, C1])
        name, features = chain.info.name, from_sequence(flow.model.config, chain.sequence)
        plain = Plain(flow, features)
        ways: dict[str, Callable[[], Tensor]] = {
            "plain": lambda plain=plain, name=name: torch.stack([plain.conformer(name, k) for k in range(n)]),
            "rnagen": lambda features=features, name=name: (
                draw_conformers(flow, features, name, SamplingPlan(n)).coords
            ),
        }
        for way, draw in ways.items():
            found: list[Tensor] = []
            taken = seconds(lambda draw=draw, found=found: found.append(draw()))
            tm = tm_scores(found[0][:, :, column], native[None], mask[None]).mean()
            evaluations = plain.evaluations / n if way == "plain" else SamplerConfig().steps
            described = {"way": way, "rna": name, "length": len(chain), "n": n, "seconds": taken}
            rows.append({**described, "evaluations": round(evaluations), "tm": float(tm)})
    return rows


def later_chains(library: Library, cutoff: str) -> list[int]:
    """Whole chains that were released after a date, of no benchmark, the shortest first."""
    later = (library.dates >= cutoff) & (library.dates != NO_DATE)
    fitting = later & (library.lengths >= LENGTHS[0]) & (library.lengths <= LENGTHS[1])
    rows = [row for row in fitting.nonzero()[0].tolist() if library.chain(row).mask.all()]
    rows = [row for row in rows if not library.infos[row].benchmark]
    return sorted(rows, key=lambda row: (library.lengths[row], library.infos[row].name))


def table(rows: list[Row]) -> list[str]:
    """Both ways of an RNA in one line, and their means."""
    cells = [
        (
            f"{one['rna']}, {one['length']} nt × {one['n']}",
            digits(one["seconds"]),
            digits(other["seconds"]),
            f"{one['seconds'] / other['seconds']:.1f}",
            f"{one['evaluations']} / {other['evaluations']}",
            f"{one['tm']:.3f} / {other['tm']:.3f}",
        )
        for one, other in zip(rows[::2], rows[1::2])
    ]
    return markdown(("RNA", "plain, s", "rnagen, s", "ratio", "evaluations", "TM-score"), cells)


if __name__ == "__main__":
    benchmark(measure, table)
