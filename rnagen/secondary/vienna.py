"""Secondary structures by ViennaRNA: base-pair probabilities, samples of the ensemble, and a cache on disk."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import RNA
from jaxtyping import Float32, Int16

from rnagen.io.arrays import NOT_ARRAYS
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.io.files import atomic_write
from rnagen.secondary.cofold import complexes
from rnagen.secondary.local import local_base_pairs
from rnagen.secondary.pairs import MINIMUM_PROBABILITY, SecondaryStructures, SparsePairs, as_pair_features, joined
from rnagen.strands import SEPARATOR
from rnagen.structure import ENERGIES

MAXIMUM_LENGTH = 4500
"""Longest sequence that is folded as a whole where nothing else does: time grows with the cube of the length (67 s at
2,900 nt), memory with its square (0.15 GB at 2,900 nt)."""
LONGEST_WHOLE = 2500
"""Longest sequence whose base pairs are those of the whole: that takes up to a minute."""


@dataclass(frozen=True)
class EnergyModel:
    """Parameters of the nearest-neighbour energies, and a temperature."""

    load: Callable[[], int]
    """Loads the parameters into ViennaRNA, for the whole process."""
    celsius: float = 37.0


STANDARD = EnergyModel(RNA.params_load_RNA_Turner2004)
OTHER_MODELS = {
    "turner1999": EnergyModel(RNA.params_load_RNA_Turner1999),
    "andronescu2007": EnergyModel(RNA.params_load_RNA_Andronescu2007),
    "langdon2018": EnergyModel(RNA.params_load_RNA_Langdon2018),
    "turner2004_60C": EnergyModel(RNA.params_load_RNA_Turner2004, 60.0),
}
"""By the name of their channel of pair features."""
OTHERS_LENGTH = 1000
"""For longer sequences only the standard energies are used, and stand for the others too: a ribosomal RNA would take
many minutes."""
UNBOUND = 9e4
"""kcal/mol; ViennaRNA gives strands that cannot bind to each other 100,000."""
SAMPLED = 32
"""Secondary structures sampled for each chain of a dataset; the one nearest to its structure is stored."""


def sparse_base_pairs(sequence: str, model: EnergyModel = STANDARD) -> SparsePairs:
    """Pairs of the Boltzmann ensemble of a sequence (McCaskill's partition function, ViennaRNA's energies), by default
    at 37 °C; of one longer than `LONGEST_WHOLE` under the standard energies, its local pairs (`local_base_pairs`).

    Residues `N` stay unpaired. Pairs under `MINIMUM_PROBABILITY` are left out. Strands, with `&` between them, form a
    complex (see `rnagen.secondary.cofold`); residues count through all of them.

    Raises:
        ValueError: the sequence is empty, or longer than `rnagen.secondary.local.LONGEST` (under other energies, or of
            several strands, than `MAXIMUM_LENGTH`).
    """
    if SEPARATOR in sequence:
        return _pairs_of_strands(sequence, model)
    if is_local(sequence) and model is STANDARD:
        return local_base_pairs(sequence)
    with _energies(model):
        return _probable_pairs(_partition_function(sequence, model.celsius))


def is_local(sequence: str) -> bool:
    """Whether a sequence is too long to be folded as a whole, and its base pairs are local ones; of several strands
    they never are."""
    return SEPARATOR not in sequence and len(sequence) > LONGEST_WHOLE


def with_other_models(pairs: SparsePairs, sequence: str, compute: bool = True) -> SparsePairs:
    """The pairs of a sequence, with the probabilities of `OTHER_MODELS` as pair features; those of the standard
    energies where the sequence is too long, or without `compute`."""
    if len(sequence) > OTHERS_LENGTH or not compute:
        return joined(pairs, *[as_pair_features(pairs)] * len(OTHER_MODELS))
    return joined(pairs, *(as_pair_features(sparse_base_pairs(sequence, model)) for model in OTHER_MODELS.values()))


def sampled_pair_tables(sequence: str, seeds: list[int]) -> Int16[np.ndarray, "n L"]:
    """Pair tables sampled from the Boltzmann ensemble at 37 °C, one for each seed, without pseudoknots.

    Raises:
        ValueError: the sequence is empty or longer than `MAXIMUM_LENGTH`.
    """
    return _sampled(_partition_function(sequence, STANDARD.celsius, backtracks=True), seeds)


def base_pair_probabilities(sequence: str) -> Float32[np.ndarray, "L L"]:
    """Symmetric base-pair probabilities [L, L] with a zero diagonal; see `sparse_base_pairs`."""
    return sparse_base_pairs(sequence).dense()


def mfe_dot_bracket(sequence: str) -> str:
    """The minimum-free-energy structure in dot-bracket notation, without pseudoknots; of strands, with `&` between them
    in the sequence, without the `&`.

    Raises:
        ValueError: the sequence is empty or longer than `MAXIMUM_LENGTH`.
    """
    if SEPARATOR not in sequence:
        return str(_fold_compound(sequence).mfe()[0])
    symbols = np.full(len(sequence) - sequence.count(SEPARATOR), ".")
    for strands, places in complexes(sequence, _bind):
        # Of two residues that bind weakly, ViennaRNA has no structure.
        symbols[places] = list(str(_fold_compound(strands).mfe()[0]) or "." * len(places))
    return "".join(symbols)


def mfe_pairs(sequence: str) -> list[tuple[int, int]]:
    """The base pairs (i < j, from 0, sorted by i) of the minimum-free-energy structure."""
    pair_table = parse_dot_bracket(mfe_dot_bracket(sequence))
    return [(i, j) for i, j in enumerate(pair_table.tolist()) if j > i]


def secondary_structures_of(sequence: str, other_models: bool = True) -> SecondaryStructures:
    """What a dataset stores for a sequence; without `other_models`, the standard energies replace the others.

    Raises:
        ValueError: the sequence is empty or longer than `MAXIMUM_LENGTH`.
    """
    compound = _partition_function(sequence, STANDARD.celsius, backtracks=True)
    pairs = with_other_models(_probable_pairs(compound), sequence, other_models)
    return SecondaryStructures(pairs, _sampled(compound, list(range(SAMPLED))))


class SecondaryStructureCache:
    """Secondary structures on disk, one file per sequence and set of parameters; safe to share between processes,
    because a file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sequence: str) -> Path:
        """File that holds, or will hold, the pairs of this sequence."""
        key = f"{RNA.__version__} {MINIMUM_PROBABILITY} {ENERGIES} {SAMPLED} {sequence}"
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"

    def get(self, sequence: str) -> SecondaryStructures:
        """The secondary structures of a sequence, predicted where the file is missing or damaged.

        Raises:
            ValueError: as `secondary_structures_of`.
        """
        path = self.path(sequence)
        try:
            with np.load(path, allow_pickle=False) as stored:
                pairs = SparsePairs(len(sequence), stored["pairs"], stored["probabilities"], stored["pair_features"])
                return SecondaryStructures(pairs, stored["sampled"])
        except (FileNotFoundError, *NOT_ARRAYS):
            found = secondary_structures_of(sequence)
        arrays = {name: getattr(found.pairs, name) for name in ("pairs", "probabilities", "pair_features")}
        with atomic_write(path) as file:
            np.savez(file, sampled=found.sampled, **arrays)
        return found


@contextmanager
def _energies(model: EnergyModel) -> Iterator[None]:
    """ViennaRNA with the parameters of this model; with the standard ones again afterwards."""
    if model is STANDARD:
        yield
        return
    _load(model)
    try:
        yield
    finally:
        _load(STANDARD)


def _load(model: EnergyModel) -> None:
    model.load()
    # ViennaRNA keeps the energies it computed last as long as the temperature stays the same, new parameters or not.
    details = RNA.md()
    details.temperature = 1.0
    elsewhere = RNA.fold_compound("GGGAAACCC", details)
    elsewhere.mfe()
    elsewhere.pf()


def _partition_function(sequence: str, celsius: float, backtracks: bool = False) -> RNA.fold_compound:
    details = RNA.md()
    details.temperature, details.uniq_ML = celsius, int(backtracks)
    compound = _fold_compound(sequence, details)
    # The partition function of a long RNA overflows unless it is scaled by the minimum free energy.
    compound.exp_params_rescale(compound.mfe()[1])
    compound.pf()
    return compound


def _bind(strands: str) -> bool:
    return bool(_fold_compound(strands).mfe()[1] < UNBOUND)


def _pairs_of_strands(sequence: str, model: EnergyModel) -> SparsePairs:
    # Whether strands can bind does not depend on the energies.
    parts = complexes(sequence, _bind)
    with _energies(model):
        found = [_probable_pairs(_partition_function(strands, model.celsius)) for strands, _ in parts]
    pairs = np.concatenate([places[part.pairs] for part, (_, places) in zip(found, parts)])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return SparsePairs(
        length=sum(part.length for part in found),
        pairs=pairs[order].astype(np.int16),
        probabilities=np.concatenate([part.probabilities for part in found])[order],
    )


def _probable_pairs(compound: RNA.fold_compound) -> SparsePairs:
    found = sorted((p.i - 1, p.j - 1, p.p) for p in compound.plist_from_probs(MINIMUM_PROBABILITY) if p.type == 0)
    return SparsePairs(
        length=compound.length,
        pairs=np.array([pair[:2] for pair in found], dtype=np.int16).reshape(-1, 2),
        probabilities=np.array([pair[2] for pair in found], dtype=np.float32),
    )


def _sampled(compound: RNA.fold_compound, seeds: list[int]) -> Int16[np.ndarray, "n L"]:
    sampled = []
    for seed in seeds:
        RNA.init_rand(seed % 2**32)
        sampled.append(parse_dot_bracket(compound.pbacktrack()))
    return np.stack(sampled)


def _fold_compound(sequence: str, details: RNA.md | None = None) -> RNA.fold_compound:
    length = len(sequence) - sequence.count(SEPARATOR)
    if not 0 < length <= MAXIMUM_LENGTH:
        raise ValueError(f"a sequence of {length} nt is not supported (1 to {MAXIMUM_LENGTH} nt)")
    return RNA.fold_compound(sequence, details or RNA.md())
