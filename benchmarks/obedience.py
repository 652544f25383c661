"""How well a model obeys a secondary structure: the share of the given base pairs that its conformers have, and the
share of their base pairs that were not given.

    python benchmarks/obedience.py rnagen/assets/base.safetensors --data data
    python benchmarks/obedience.py runs/mine/best.safetensors --n 5

For validation chains: without a structure, with the native one, and with the best one of ViennaRNA. Then a pseudoknot,
of which the crossing stem is also counted alone, and two riboswitches in two secondary structures each. The row of the
native structures is what the search for base pairs finds among the beads where all is obeyed. Without templates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from rich.progress import track
from validation import validation_chains

from rnagen.checkpoints.structure import Checkpoint, load_checkpoint
from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.errors import ConfigError
from rnagen.features import Chain, RNAFeatures, from_chain, from_sequence
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.sampling.conformers import draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.secondary.obedience import Obedience, given_pairs, obedience
from rnagen.secondary.vienna import mfe_dot_bracket
from rnagen.structure import RNAStructure

LENGTHS = (20, 120)
"""nt of the validation chains."""
FEWEST = 4
"""Native pairs of a validation chain."""
KNOT = (
    "preQ1-I pseudoknot (2kfc)",
    "GGAGAGGUUCUAGUUAUACCCUCUAUAAAAAACUAA",
    "..(((((...[[[......)))))........]]].",
)
"""Name, sequence and native pairs."""
RIBOSWITCHES = (
    (
        "adenine riboswitch (1y26)",
        "CGCUUCAUAUAAUCCUAAUGAUAUGGUUUGGGAGUUUCUACCAAGAGCCUUAAACUCUUGAUUAUGAAGUG",
        "(((((((((...((((((.........))))))........((((((.......))))))..)))))))))",
        "(((((((((..(((..........(((((..(.((....)))..)))))..........))))))))))))",
    ),
    (
        "SAM-I riboswitch (2gis)",
        "GGCUUAUCAAGAGAGGUGGAGGGACUGGCCCGAUGAAACCCGGCAACCAGAAAUGGUGCCAAUUCCUGCAGCGGAAACGUUGAAAGAUGAGCCA",
        "((((((((......(((...(((.....)))......))).((((.(((....)))))))........(((((....)))))...)))))))).",
        "((((((((...........(((((.(((((((........)))..((((....)))))))).))))).(((((....)))))...)))))))).",
    ),
)
"""Name, sequence, the best secondary structure of ViennaRNA, and the best of those that share less than two thirds of
its pairs: 2.7 and 0.2 kcal/mol above it."""


@dataclass
class Options:
    """What to measure."""

    ckpt: Annotated[Path, tyro.conf.Positional] = Path("rnagen/assets/base.safetensors")
    """Weights of a model that was trained with `--secondary-structure`."""
    data: Path = Path("data")
    """Prepared dataset with the validation chains."""
    splits: Path = Path("splits")
    """Folder with val.csv."""
    n: int = 20
    """Validation chains, drawn by the seed."""
    conformers: int = 3
    """Of each RNA and secondary structure."""
    steps: int = 20
    """Solver steps."""
    seed: int = 0
    """Of chains and conformers."""


@dataclass(frozen=True)
class Case:
    """An RNA, and a secondary structure that its conformers are held against."""

    row: str
    """Of the table."""
    name: str
    sequence: str
    features: RNAFeatures
    pair_table: np.ndarray
    """Held against; [L]."""
    given: np.ndarray | None
    """Conditioned on; None for nothing."""


@dataclass(frozen=True)
class Sampler:
    """Conformers of a model."""

    checkpoint: Checkpoint
    plan: SamplingPlan

    def conformers(self, case: Case) -> RNAStructure:
        """Of one RNA under one condition."""
        table = None if case.given is None else torch.from_numpy(case.given).long()[None]
        features = replace(case.features, pair_table=table)
        coords = draw_conformers(Flow.of(self.checkpoint), features, case.name, self.plan).coords.numpy()
        atoms = self.checkpoint.config.model.atoms
        return RNAStructure(case.name, case.sequence, coords, np.ones(coords.shape[:-1], bool), atoms)


def run(options: Options) -> None:
    """Sample, count, print.

    Raises:
        ConfigError: the model reads no secondary structure.
    """
    checkpoint = load_checkpoint(options.ckpt)
    if not checkpoint.config.model.secondary_structure:
        raise ConfigError("ckpt: this model was trained without --secondary-structure and cannot read one")
    plan = SamplingPlan(options.conformers, seed=options.seed, options=SamplerConfig(steps=options.steps))
    sampler, atoms = Sampler(checkpoint, plan), checkpoint.config.model.atoms
    chains = chosen_chains(options, atoms)
    found = {"chains: native structures, native pairs": [native(chain, atoms) for chain in chains]}
    cases = [*(case for chain in chains for case in chain_cases(chain)), *examples(checkpoint)]
    drawn: dict[tuple[str, bytes | None], RNAStructure] = {}
    for case in track(cases, description="sampling", transient=True):
        key = case.name, None if case.given is None else case.given.tobytes()
        if key not in drawn:
            drawn[key] = sampler.conformers(case)
        found.setdefault(case.row, []).append(obedience(drawn[key], case.pair_table))
    print_table(found, options.conformers)


def chosen_chains(options: Options, atoms: tuple[str, ...]) -> list[Chain]:
    """Validation chains of `LENGTHS` with native pairs."""
    chains = [
        chain
        for chain in validation_chains(options.data, options.splits, atoms, LENGTHS[1])
        if len(chain.bases) >= LENGTHS[0] and len(given_pairs(chain.sequence, chain.pair_tables[:, 0])) >= FEWEST
    ]
    order = np.random.default_rng(options.seed).permutation(len(chains))[: options.n]
    return [chains[k] for k in sorted(order)]


def chain_cases(chain: Chain) -> Iterator[Case]:
    """A validation chain, free and with each secondary structure."""
    features, native_table = from_chain(chain), chain.pair_tables[:, 0]
    best = parse_dot_bracket(mfe_dot_bracket(chain.sequence))
    for what, table in (("native", native_table), ("ViennaRNA's best", best)):
        for given in (None, table):
            row = f"chains: {'nothing' if given is None else what} given, {what} pairs"
            yield Case(row, chain.name, chain.sequence, features, table, given)


def examples(checkpoint: Checkpoint) -> Iterator[Case]:
    """The pseudoknot and the riboswitches."""
    name, sequence, native_pairs = KNOT
    features = from_sequence(checkpoint.config.model, sequence)
    whole, crossing = (parse_dot_bracket(text) for text in (native_pairs, only(native_pairs, "[]", "?")))
    nested = parse_dot_bracket(only(native_pairs, "()", "."))
    for what, given in (("nothing", None), ("nested stem", nested), ("both stems", whole)):
        yield Case(f"{name}: {what} given, both stems", name, sequence, features, whole, given)
        yield Case(f"{name}: {what} given, crossing stem", name, sequence, features, crossing, given)
    for name, sequence, *texts in RIBOSWITCHES:
        features = from_sequence(checkpoint.config.model, sequence)
        tables = {f"fold {k}": parse_dot_bracket(text) for k, text in enumerate(texts, start=1)}
        for what, given in (("nothing", None), *tables.items()):
            for other, table in tables.items():
                yield Case(f"{name}: {what} given, {other}", name, sequence, features, table, given)


def only(text: str, brackets: str, other: str) -> str:
    """Dot-bracket notation with some kinds of brackets alone, and another symbol for all residues beside them."""
    return "".join(symbol if symbol in brackets else other for symbol in text)


def native(chain: Chain, atoms: tuple[str, ...]) -> list[Obedience]:
    """The models of a chain against its own pairs."""
    structure = RNAStructure(chain.name, chain.sequence, chain.coords, chain.mask, atoms)
    return obedience(structure, chain.pair_tables[:, 0])


def print_table(found: dict[str, list[list[Obedience]]], conformers: int) -> None:
    """Means over the RNAs of the means over their conformers."""
    width = max(map(len, found))
    print(f"{'':{width}}  RNAs  given pairs present  present pairs not given")
    for row, of_rnas in found.items():
        shares = [
            mean([mean([getattr(one, name) for one in of_rna]) for of_rna in of_rnas])
            for name in ("given_present", "present_not_given")
        ]
        first, second = ("–" if share is None else f"{share:.3f}" for share in shares)
        print(f"{row:{width}}  {len(of_rnas):4}  {first:>19}  {second:>23}")
    print(f"{conformers} conformers of each RNA; pairs of beads (rnagen.secondary.native)")


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known; None without any."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(tyro.cli(Options))
