"""Every option of `sample.py`. No heavy import here: `--help` must answer at once."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rnagen.config.files import Basic
from rnagen.config.residues import residue_range
from rnagen.dates import is_date
from rnagen.errors import ConfigError
from rnagen.messages import quoted

SamplingMethod = Literal["euler", "midpoint", "heun", "rk4", "dopri5", "euler-maruyama", "sde-heun", "ddpm", "ddim"]
TimeGrid = Literal["uniform", "logarithmic", "quadratic"]
DiffusionForm = Literal["constant", "sbdm", "sigma", "linear", "decreasing", "increasing-decreasing", "annealed"]
LastStep = Literal["none", "mean", "tweedie", "euler"]
StructureSource = Literal["free", "sampled"]
TemplateUsage = Literal["copy", "condition", "both"]
StructureFormat = Literal["cif", "pdb"]
OutputAtoms = Literal["all", "beads"]
MOST_WORKERS = 1024
"""Processes of one machine."""
_LOCAL = re.compile(r"local:(\d{1,9})")
_ADDRESS = re.compile(r"[a-z]+://[^/\s]+:\d{1,5}")


@dataclass(frozen=True)
class SamplerConfig:
    """How conformers are sampled."""

    sampling_method: SamplingMethod = "euler-maruyama"
    """Solver: an ODE (euler to dopri5), the SDE with temperature `tau` (euler-maruyama, sde-heun), or discrete
    diffusion (ddpm, ddim; for the path Sqrt and the prediction noise)."""
    steps: Basic[int] = 20
    """Solver steps N: N evaluations of the model, 2N − 1 for midpoint, heun and sde-heun, 4N − 3 for rk4 (the last step
    is one estimate of the structure); dopri5 chooses its own."""
    time_grid: TimeGrid = "uniform"
    """Spacing of the steps: logarithmic is dense near the data, quadratic near the noise."""
    tau: Basic[float] = 0.05
    """Noise temperature of the SDE and of ddpm: higher is more diverse and less accurate."""
    diffusion_form: DiffusionForm = "annealed"
    """How strongly the SDE diffuses over time."""
    last_step: LastStep = "tweedie"
    """How the SDE ends: with the estimated structure (tweedie), a step without noise (mean) or without diffusion
    (euler), or as every step (none)."""
    cfg_scale: float = 1.0
    """Guidance: 1 is none, more goes further away from `guide_ckpt`, or from the model without the label, or, where it
    reads no labels, without its inputs. Takes twice the evaluations."""
    diversity: float = 0.0
    """Strength at which the conformers of an RNA repel each other; 0 samples them independently."""
    restraints: bool = False
    """In the last third of the time, pull estimates into the ranges that bead distances have in RNA: no broken bonds,
    no overlaps, and C1' of residues that are to be paired at the distance of pairs."""
    secondary_structures: StructureSource = "free"
    """Secondary structure of each conformer, for a model that can be conditioned on one: free, or sampled from
    ViennaRNA's ensemble. One that is given for an RNA conditions all its conformers."""
    chunk: int = 0
    """Conformers computed at once; 0: as many as fit 4096 residues. A model that samples them in groups computes whole
    groups."""

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("diversity", 0), ("chunk", 0)):
            if not getattr(self, name) >= least:
                raise ConfigError(f"{name}: must be at least {least}, not {getattr(self, name)!r}")


AUTO, NONE = "auto", "none"
"""Templates: those that the library has; not any."""
BETWEEN_UNTIL = 0.6
"""Default of `template_until` for structures on the way between two states: straight lines break bonds, which the model
mends in the rest of the time."""
LIBRARY_UNTIL = 0.95
"""Default of `template_until` for the library; chosen on validation chains (docs/templates.md)."""


@dataclass(frozen=True)
class TemplateConfig:
    """Which known structures conformers are built on, and how many of an RNA's conformers are."""

    templates: Basic[tuple[str, ...]] = (AUTO,)
    """Known structures of related sequences: auto (searched in the template library), none, or structure files and
    tables in the submission format, also together with auto. The first conformers are built on them."""
    template_date: str = ""
    """Only library structures released before this date (YYYY-MM-DD) serve. Those that are not older than the RNA never
    do, if it has a date."""
    template_library: Path | None = None
    """Library made by `rnagen library`; by default the one that ships with rnagen."""
    draft: Path | None = None
    """Structure of the RNA by another program, or a folder of them named by target: the first conformer is built on
    it."""
    fix: tuple[str, str] | None = None
    """Residues of the RNA (as in 10-45) and a structure file that has them, alone or with others: their beads stand
    in all conformers as they stand there, and the model completes the rest around them."""
    start: Path | None = None
    """Structure of one state of the RNA. With `end`, the conformers lie on the way between the two states: the first is
    the one, the last the other."""
    end: Path | None = None
    """Structure of the other state."""
    template_use: TemplateUsage = "both"
    """How a template acts: its residues stand in the place of what the model estimates (copy), the model is conditioned
    on it, if it reads references (condition), or both."""
    template_slots: int = 4
    """Conformers of an RNA that are built on the library at most."""
    template_choice: int = 5
    """Best templates of the library that are considered."""
    template_similarity: float = 0.5
    """Least identity × coverage of a template."""
    template_until: float | None = None
    """Time of the flow, from 0 (noise) to 1 (structure), until which the copied residues stand as in the template while
    the model completes the others; then it may move them all. 1: to the end. By default 0.95 for templates of the
    library, 1 for files and drafts."""

    def __post_init__(self) -> None:
        if NONE in self.templates and len(self.templates) > 1:
            raise ConfigError(f"templates: {NONE} excludes {', '.join(one for one in self.templates if one != NONE)}")
        if (self.start is None) != (self.end is None):
            raise ConfigError("start, end: belong together: name both structures")
        if self.fix is not None:
            residue_range(self.fix[0])
        if self.start is not None and (self.fix is not None or self.draft is not None or self.files):
            raise ConfigError("start, end: cannot be combined with fix, draft or files of templates")
        if not self.templates:
            raise ConfigError(f"templates: choose {AUTO}, {NONE} or files")
        if self.template_date and not is_date(self.template_date):
            raise ConfigError(f"template_date: {quoted(self.template_date)} is not a date (expected YYYY-MM-DD)")
        for name, least in (("template_slots", 0), ("template_choice", 1)):
            if not getattr(self, name) >= least:
                raise ConfigError(f"{name}: must be at least {least}, not {getattr(self, name)!r}")
        if not 0 <= self.template_similarity <= 1:
            raise ConfigError(f"template_similarity: must lie between 0 and 1, not {self.template_similarity!r}")
        if self.template_until is not None and not 0 < self.template_until <= 1:
            raise ConfigError(f"template_until: must lie above 0 and be at most 1, not {self.template_until!r}")

    def until(self, source: str) -> float:
        """`template_until` of a template from the library, a file or a draft."""
        if self.template_until is not None:
            return self.template_until
        return {"library": LIBRARY_UNTIL, "between": BETWEEN_UNTIL}.get(source, 1.0)

    @property
    def given(self) -> bool:
        """Whether the user names structures."""
        return bool(self.files) or any(part is not None for part in (self.draft, self.fix, self.start))

    @property
    def copies(self) -> bool:
        """Whether the residues of templates stand in the place of estimates."""
        return self.template_use != "condition"

    @property
    def conditions(self) -> bool:
        """Whether a model that reads references is conditioned on templates."""
        return self.template_use != "copy"

    @property
    def searches(self) -> bool:
        """Whether the library is searched."""
        return AUTO in self.templates

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of templates."""
        return tuple(Path(one) for one in self.templates if one not in (AUTO, NONE))


@dataclass(frozen=True)
class SamplingPlan:
    """How many conformers of an RNA are sampled, and how."""

    n: int = 5
    """Conformers of the ensemble."""
    candidates: int | None = None
    """Conformers to sample, `n` of which are selected; None: `n`, without selection."""
    seed: int = 0
    """Conformer k of a target depends on the seed, the target's name and k alone."""
    options: SamplerConfig = field(default_factory=SamplerConfig)
    first: int = 0
    """Conformers that are left out because they are there already."""
    atoms: OutputAtoms = "all"
    """Of the conformers that are returned: complete nucleotides, or what the model generates."""
    interactions: bool = False
    """Whether the base pairs and stacking of the conformers are found."""
    turn: tuple[int, int] = (0, 1)
    """Of checkpoints that take turns: the place of this one, from 0, and their number."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ConfigError(f"n: must be at least 1, not {self.n}")
        if self.interactions and self.atoms != "all":
            raise ConfigError(f"interactions: are those of bases, which --atoms {self.atoms} lacks: leave one out")
        if self.candidates is not None and self.candidates < self.n:
            raise ConfigError(f"candidates: {self.n} conformers cannot be selected from {self.candidates}")

    @property
    def total(self) -> int:
        """Conformers to sample, those that are there already too."""
        return self.candidates or self.n

    @property
    def places(self) -> range:
        """Positions, from 0, of the conformers that this checkpoint samples now."""
        place, number = self.turn
        return range(self.first + (place - self.first) % number, self.total, number)

    @property
    def independent(self) -> bool:
        """Whether a conformer does not depend on how many others there are: then some can be added."""
        return self.candidates is None and not self.options.diversity


@dataclass(frozen=True)
class SampleConfig:
    """Draw conformers of RNAs. Without an input, of the example RNAs that ship with rnagen.

    `--config FILE.yaml` replaces defaults, flags replace both.
    """

    sequence: str | None = None
    """Sequence of one RNA."""
    structure: str | None = None
    """Secondary structure to condition on, for a model trained with `--secondary-structure`: dot-bracket notation (`?`
    where it is unknown) for `sequence`, a file (dot-bracket, ct, bpseq), or a folder of files named by target. For any
    model: base-pair probabilities in place of ViennaRNA's, a matrix (.npy) or a dot plot (_dp.ps)."""
    name: str = "rna"
    """Its name, for `sequence`."""
    fasta: Path | None = None
    """File of sequences (FASTA, Stockholm, ct and others, see docs/inputs.md), or a folder of such files."""
    csv: Path | None = None
    """Table with the columns target_id and sequence, as the test_sequences.csv of the Kaggle benchmark."""
    alignments: Path | None = None
    """Folder of alignments (FASTA, A3M, Stockholm or Clustal) named by target, such as rna.a3m, for a model that reads
    them. Other targets are sampled without."""
    label: str | None = None
    """Category of the RNAs, such as a family, for a model trained with `--labels`."""
    n: int = 5
    """Conformers per RNA."""
    candidates: int | None = None
    """Conformers to sample per RNA, `n` of which are selected: by confidence and diversity where there is a confidence
    model beside the weights, else by clusters. None: `n`, without selection."""
    out: Path = Path("out")
    """Folder to write to. Repeating the command resumes an interrupted run; other RNAs, or more conformers (`n`), are
    added to those that are there."""
    overwrite: bool = False
    """Remove the run that is in `out`, with all its RNAs, and begin anew."""
    ckpt: tuple[Path, ...] = ()
    """Weights (.safetensors, with their .json beside them), or a shipped checkpoint by its name: informed (default),
    base (reads no references and has no confidence model) or small (fast, for short RNAs). Several make the conformers
    of each RNA in turn."""
    guide_ckpt: Path | None = None
    """Weights of a worse model (smaller, or earlier in training) to be guided away from, with `cfg_scale`."""
    seed: int = 0
    """Conformer k of target s depends on the seed, the name of s and k alone."""
    format: StructureFormat = "cif"
    """Format of the structure files."""
    atoms: OutputAtoms = "all"
    """Atoms of the conformers: all heavy atoms, built on those that the model generates (docs/allatom.md), or these
    alone (beads)."""
    interactions: bool = False
    """Also find the base pairs and stacking of each conformer with all atoms, for summary.json and the page. Needs
    `pip install rnagen[pairs]`."""
    report: bool = True
    """Also write report.html, a page with the conformers in 3D, base pairs, distances and confidence."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    cluster: str | None = None
    """Sample in several processes: `local:N`, N of this machine, which share its cores and GPUs, or the address of a
    Dask scheduler (tcp://HOST:PORT) whose workers see the same files. Needs `pip install rnagen[cluster]`."""
    cache: Path | None = None
    """Folder for base pairs that were predicted once; by default that of RNAGEN_CACHE, or one per user."""
    quiet: bool = False
    """Show no progress; RNAGEN_QUIET=1 in the environment does so for every command."""
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    known: TemplateConfig = field(default_factory=TemplateConfig)

    def __post_init__(self) -> None:
        self.plan  # noqa: B018 (its checks are ours)
        if self.known.start is not None and self.n < 2:
            raise ConfigError(f"start, end: the way between two states needs n of at least 2, not {self.n}")
        local = self.local_workers is not None and 1 <= self.local_workers <= MOST_WORKERS
        if self.cluster is not None and not local and not _ADDRESS.fullmatch(self.cluster):
            wanted = f"local:N with N from 1 to {MOST_WORKERS}, or the address of a Dask scheduler: tcp://HOST:PORT"
            raise ConfigError(f"cluster: {quoted(self.cluster)} cannot be used (expected {wanted})")

    @property
    def plan(self) -> SamplingPlan:
        """What is sampled of each RNA."""
        return SamplingPlan(
            self.n, self.candidates, self.seed, self.sampler, atoms=self.atoms, interactions=self.interactions
        )

    @property
    def local_workers(self) -> int | None:
        """Processes of this machine that sample; None where the option names none."""
        found = _LOCAL.fullmatch(self.cluster or "")
        return None if found is None else int(found[1])
