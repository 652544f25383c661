"""How well the spread of conformers matches that of experimental ones, by setting, beside baselines.

    python benchmarks/ensembles.py --data data
    python benchmarks/ensembles.py --settings "small, τ 0.3" "ten templates"
    python benchmarks/ensembles.py --table

The table is in docs/ensembles.md. RNAs of splits/ensemble.csv: bundles, and RNAs of two states, all those outside the
training first, the others spread evenly over the lengths, one per cluster. Results are stored RNA by RNA in `--out`; a
setting that is there is not computed again, so repeat an interrupted command to continue.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from jaxtyping import Float
from rich.progress import track
from torch import Tensor

from rnagen.config.sampling import SamplerConfig, SamplingPlan, TemplateConfig
from rnagen.errors import InputError
from rnagen.evaluation.inputs import read_references
from rnagen.evaluation.spread import LEAST_REFERENCES, Fluctuation, Spread, score_spread, summarize_spread
from rnagen.evaluation.templates import answer_within
from rnagen.io.files import write_text
from rnagen.io.pair_matrix import matrix_of
from rnagen.io.tables import read_table
from rnagen.io.target import Target
from rnagen.metrics import Agreement, conformer_geometry
from rnagen.preparation.splits import CUTOFF
from rnagen.sampling.ensemble import Ensemble, Models, draw_ensemble
from rnagen.sampling.secondary import stable_seed
from rnagen.sampling.templates import entry_of
from rnagen.secondary.vienna import sampled_pair_tables
from rnagen.structure import RNAStructure
from rnagen.templates.date_filter import DateFilter
from rnagen.templates.library import Library
from rnagen.templates.search import Searcher

TEMPLATES = 10
"""Of the baseline."""
ERROR_SCALE, ERROR_SLOPE, ERROR_MIDDLE = 1.5, 4.0, 0.7
"""Å of expected error of a residue of predicted lDDT c: 1.5 exp(4 (0.7 − c)), as Phenix and AlphaFold's users read it
(Oeffner et al., Acta Cryst. D78, 1303, 2022)."""
SECONDS = "seconds"
GEOMETRY = ("bond_outliers", "clashes")
"""Of the beads: mean share of the bonds, and number per conformer."""


@dataclass
class Options:
    """What to compare."""

    data: Path = Path("data")
    """Prepared dataset."""
    split: Path = Path("splits/ensemble.csv")
    """RNAs with several conformers."""
    bundles: int = 12
    """RNAs with a bundle; 0: all."""
    states: int = 12
    """RNAs of two states; 0: all."""
    max_length: int = 140
    """Residues of the longest RNA."""
    conformers: int = 10
    """Of each RNA."""
    settings: tuple[str, ...] = ()
    """Names of settings and baselines; by default all."""
    table: bool = False
    """Print what is stored, and compute nothing."""
    out: Path = Path("benchmarks/results/ensembles.json")
    """File of the results."""


@dataclass(frozen=True)
class Setting:
    """A way to make conformers."""

    ckpt: str = "small"
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    templates: bool = False
    """Whether the first conformers are built on the library."""
    sampled_pairs: bool = False
    """Each conformer reads another secondary structure of ViennaRNA's ensemble in place of the probabilities of all."""


SETTINGS = {
    "small, τ 0.05": Setting(),
    "small, τ 0.3": Setting(sampler=SamplerConfig(tau=0.3)),
    "small, τ 1": Setting(sampler=SamplerConfig(tau=1.0)),
    "small, τ 0.3, restraints": Setting(sampler=SamplerConfig(tau=0.3, restraints=True)),
    "small, τ 1, restraints": Setting(sampler=SamplerConfig(tau=1.0, restraints=True)),
    "small, τ 0.05, diversity 1": Setting(sampler=SamplerConfig(diversity=1.0)),
    "small, τ 0.05, template slots": Setting(templates=True),
    "small, τ 0.3, restraints, template slots": Setting(
        sampler=SamplerConfig(tau=0.3, restraints=True), templates=True
    ),
    "small, τ 0.05, pairs of sampled structures": Setting(sampled_pairs=True),
    "base, τ 0.05": Setting("base"),
    "base, τ 0.3, restraints": Setting("base", SamplerConfig(tau=0.3, restraints=True)),
    "base, τ 0.3, restraints, sampled structures": Setting(
        "base", SamplerConfig(tau=0.3, restraints=True, secondary_structures="sampled")
    ),
    "informed, τ 0.3, restraints": Setting("informed", SamplerConfig(tau=0.3, restraints=True)),
    "informed, τ 0.3, restraints, template slots": Setting(
        "informed", SamplerConfig(tau=0.3, restraints=True), templates=True
    ),
}
NOISE, FROM_TEMPLATES = "noise by confidence around one conformer", "ten templates"
BASELINES = (NOISE, FROM_TEMPLATES)


@dataclass(frozen=True)
class RNA:
    """An RNA of the split."""

    structure: RNAStructure
    seen: bool
    """Whether its cluster is in the training."""
    apart: float

    @property
    def target(self) -> Target:
        """Templates are older than its first structure, and not of its entry."""
        return Target(self.structure.name, self.structure.sequence, release_date=self.structure.release_date)


def chosen(options: Options) -> list[RNA]:
    """The RNAs of the comparison."""
    table = read_table(options.split)
    table.require(("id", "cluster", "models", "apart", "training"))
    structures = read_references(options.data, options.split).chains
    found: dict[str, list[tuple[str, RNA]]] = {"bundles": [], "states": []}
    for row in sorted(table.rows, key=lambda row: (int(table.cell(row, "length")), table.cell(row, "id"))):
        (structure,) = structures[table.cell(row, "id")]
        rna = RNA(structure, table.cell(row, "training") == "yes", float(table.cell(row, "apart")))
        if len(structure) > options.max_length:
            continue
        is_bundle = structure.num_models >= LEAST_REFERENCES and structure.method == "SOLUTION NMR"
        found["bundles" if is_bundle else "states"].append((table.cell(row, "cluster"), rna))
    out = []
    for kind, wanted in (("bundles", options.bundles), ("states", options.states)):
        by_cluster = dict(reversed(found[kind]))
        rnas = sorted(by_cluster.values(), key=lambda rna: (rna.seen, len(rna.structure), rna.structure.name))
        unseen = [rna for rna in rnas if not rna.seen]
        seen = rnas[len(unseen) :]
        places = np.linspace(0, len(seen) - 1, min(len(seen), max(0, wanted - len(unseen)))).round().astype(int)
        out += rnas if wanted == 0 else [*unseen[:wanted], *(seen[place] for place in places)]
    return out


class Maker:
    """Makes conformers of RNAs; checkpoints and library are read once."""

    def __init__(self, conformers: int) -> None:
        self.conformers = conformers
        self._models: dict[tuple[str, bool], Models] = {}
        self.searcher = Searcher(Library.open())

    def models(self, ckpt: str, templates: bool) -> Models:
        """Of a setting."""
        if (ckpt, templates) not in self._models:
            config = TemplateConfig(template_date=CUTOFF) if templates else TemplateConfig(templates=("none",))
            self._models[ckpt, templates] = Models.load(Path(ckpt), None, "cpu", config)
        return self._models[ckpt, templates]

    def ensemble(self, setting: Setting, rna: RNA) -> Ensemble:
        """Conformers of a setting."""
        models = self.models(setting.ckpt, setting.templates)
        plan = SamplingPlan(self.conformers, options=setting.sampler)
        if not setting.sampled_pairs:
            return draw_ensemble(models, rna.target, plan)
        parts = []
        for k, matrix in enumerate(self._sampled(rna)):
            # The k-th conformer, as it would be in a run.
            target = replace(rna.target, pair_matrix=matrix_of(matrix, rna.structure.sequence))
            parts.append(draw_ensemble(models, target, replace(plan, n=k + 1, first=k)))
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.extended(part)
        return whole

    def _sampled(self, rna: RNA) -> Iterator[Float[np.ndarray, "L L"]]:
        sequence = rna.structure.sequence
        seeds = [stable_seed("pairs", rna.structure.name, k) for k in range(self.conformers)]
        for table in sampled_pair_tables(sequence, seeds):
            matrix = np.zeros((len(sequence), len(sequence)), dtype=np.float32)
            rows = np.flatnonzero(table >= 0)
            matrix[rows, table[rows]] = 1
            yield matrix

    def noise(self, rna: RNA) -> Float[Tensor, "n L 3"]:
        """Baseline: the most confident conformer, each residue moved as far as the confidence expects it to be off."""
        ensemble = self.ensemble(Setting(), rna)
        confidence = ensemble.confidence
        assert confidence is not None
        best = int(confidence.tm.argmax())
        error = ERROR_SCALE * np.exp(ERROR_SLOPE * (ERROR_MIDDLE - confidence.lddt[best]))
        generator = torch.Generator().manual_seed(stable_seed("noise", rna.structure.name))
        c1 = torch.from_numpy(ensemble.to_numpy("C1'")[best])
        noise = torch.randn(self.conformers, *c1.shape, generator=generator)
        # The error is that of a position, the noise one for each of three axes.
        return c1 + noise * torch.from_numpy(error).float()[:, None] / 3**0.5

    def from_templates(self, rna: RNA) -> Float[Tensor, "n L 3"] | None:
        """Baseline: the ten best templates from before the RNA's first structure, as they are copied."""
        dates = DateFilter(rna.structure.release_date, {entry_of(rna.structure.name)})
        return answer_within(rna.structure.sequence, dates, self.searcher, TEMPLATES)


def scored(maker: Maker, name: str, rna: RNA) -> dict[str, Any] | None:
    """The spread of one RNA under a setting or baseline, and the geometry of its conformers; None without any."""
    geometry: dict[str, float] = {}
    if name in BASELINES:
        baseline: Callable[[RNA], Float[Tensor, "n L 3"] | None]
        baseline = maker.noise if name == NOISE else maker.from_templates
        samples = baseline(rna)
        if samples is None:
            return None
    else:
        ensemble = maker.ensemble(SETTINGS[name], rna)
        samples = torch.from_numpy(ensemble.to_numpy("C1'"))
        checked = conformer_geometry(ensemble.structure)
        geometry = {part: float(np.mean([one[part] for one in checked])) for part in GEOMETRY}
    reference = rna.structure.select_atoms(("C1'",))
    refs, masks = (torch.from_numpy(part[:, :, 0]) for part in (reference.coords, reference.mask))
    spread = score_spread(samples, torch.ones(samples.shape[:2], dtype=torch.bool), refs, masks)
    if spread is None:
        raise InputError(rna.structure.name, None, "its conformers share too few residues")
    plain = spread.to_plain()
    del plain["numbers"]
    return rounded({"seen": rna.seen, "length": len(rna.structure), **plain, **geometry})


def rounded(value: Any) -> Any:
    """Numbers with three digits, at any depth."""
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 3) if isinstance(value, float) else value


def run(options: Options) -> None:
    """Sample, score, store, print."""
    stored: dict[str, Any] = {"rnas": [], "conformers": options.conformers, "rows": {}}
    if options.out.is_file():
        stored = json.loads(options.out.read_text())
    if not options.table:
        rnas, maker = chosen(options), Maker(options.conformers)
        names = [rna.structure.name for rna in rnas]
        if stored["rows"] and (stored["rnas"], stored["conformers"]) != (names, options.conformers):
            raise InputError(options.out, None, "has other RNAs or numbers of conformers; name another file (--out)")
        stored["rnas"] = names
        for name in options.settings or (*BASELINES, *SETTINGS):
            if name in stored["rows"]:
                continue
            start = time.process_time()
            rows = {rna.structure.name: scored(maker, name, rna) for rna in track(rnas, name, transient=True)}
            stored["rows"][name] = {SECONDS: round(time.process_time() - start), "rnas": rows}
            stored["rows"][name]["summary"] = summary_of(rows)
            write_text(options.out, json.dumps(stored, default=float) + "\n")
            print(f"{name}: {stored['rows'][name][SECONDS]} s", flush=True)
    print("\n".join(table_of(stored)))


COLUMNS = {
    "rmsf_spearman": ("RMSF ρ per RNA", 2),
    "pooled_spearman": ("ρ pooled", 2),
    "pooled_pearson": ("r pooled", 2),
    "rmsf_sampled": ("RMSF, Å", 2),
    "cov_r_2": ("COV-R 2 Å", 2),
    "cov_r_4": ("4 Å", 2),
    "amr_r": ("AMR-R, Å", 1),
    "cov_p_2": ("COV-P 2 Å", 2),
    "cov_p_4": ("4 Å", 2),
    "amr_p": ("AMR-P, Å", 1),
    "wasserstein": ("W₁, Å", 2),
    "both_states": ("both states", 2),
}
"""Of the table, over the RNAs in the training: numbers of `summarize_spread`, their titles and digits."""
MORE = ("unseen: AMR-R, Å", "both states", "bonds off", "clashes")
"""Further columns: of the RNAs outside the training, and of all."""


def summary_of(rows: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """Means with intervals over the RNAs of a setting that are in the training; of the others, the mean AMR-R, and of
    how many both states are reached; and the geometry of all conformers."""
    found = [row for row in rows.values() if row is not None]
    spreads = [spread_of(row) for row in found if row["seen"]]
    unseen = [spread_of(row) for row in found if not row["seen"]]
    summary: dict[str, Any] = {
        name: [round(end, 3) for end in (value.mean, value.low, value.high)]
        for name, value in summarize_spread(spreads, 0).items()
    }
    reached = [sum(spread.both_states is True for spread in unseen), len(unseen)]
    distance = round(float(np.mean([spread.agreement.amr_r for spread in unseen])), 3) if unseen else None
    summary |= {"rnas": len(found), "unseen": {"both_states": reached, "amr_r": distance}}
    if "clashes" in found[0]:
        summary |= {part: round(float(np.mean([row[part] for row in found])), 4) for part in GEOMETRY}
    return summary


def table_of(stored: dict[str, Any]) -> list[str]:
    """The summaries as the table of the document."""
    titles = [title for title, _ in COLUMNS.values()]
    lines = [f"| {' | '.join(['conformers', *titles, *MORE])} |"]
    lines.append("|---" * (1 + len(COLUMNS) + len(MORE)) + "|")
    known = next(row["summary"]["rmsf_reference"] for row in stored["rows"].values())
    cells = [_cell(known, 2) if name == "rmsf_sampled" else "–" for name in COLUMNS]
    lines.append(f"| {' | '.join(['experimental conformers', *cells, *['–'] * len(MORE)])} |")
    for name, row in stored["rows"].items():
        summary = row["summary"]
        cells = [name if summary["rnas"] == len(stored["rnas"]) else f"{name} ({summary['rnas']} RNAs)"]
        cells += [_cell(summary[column], digits) for column, (_, digits) in COLUMNS.items()]
        unseen = summary["unseen"]
        cells += [f"{unseen['amr_r']:.1f}", "{} of {}".format(*unseen["both_states"])]
        has_beads = "clashes" in summary
        cells.append(f"{100 * summary['bond_outliers']:.1f} %" if has_beads else "–")
        cells.append(f"{summary['clashes']:.1f}" if has_beads else "–")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cell(summary: list[float], digits: int) -> str:
    mean, low, high = (f"{value:.{digits}f}" for value in summary)
    return f"{mean} [{low}, {high}]"


def spread_of(plain: dict[str, Any]) -> Spread:
    """What `Spread.to_plain` made."""
    known = plain["fluctuation"]
    agreement = plain["agreement"]
    covered = {name: {float(k): v for k, v in agreement[name].items()} for name in ("cov_r", "cov_p")}
    return Spread(
        plain["samples"],
        plain["references"],
        plain["apart"],
        plain["both_states"],
        Agreement(**covered, amr_r=agreement["amr_r"], amr_p=agreement["amr_p"]),
        plain["wasserstein"],
        None if known is None else Fluctuation(known["sampled"], known["reference"]),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(tyro.cli(Options))
