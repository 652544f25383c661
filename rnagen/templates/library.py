"""The template library: known structures, one conformer each, in one file that opens in a fraction of a second.

A safetensors file: flat tensors of all residues, and what is known about each chain as JSON in its metadata.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rnagen.dates import NO_DATE
from rnagen.errors import InputError
from rnagen.io.files import atomic_write, parse_json
from rnagen.secondary.native import canonical_pair_table
from rnagen.structure import BASES, BEADS, RNAStructure, encode_sequence
from rnagen.templates.storage import FARTHEST, STEP, centred_beads
from rnagen.version import __version__

FORMAT = 1
KIND = "template library"
"""Mark in the metadata: a dataset is a safetensors file too."""
SHIPPED = Path(__file__).parents[1] / "assets" / "library.safetensors"
C1 = BEADS.index("C1'")
_AGAIN = "`rnagen library SOURCE --out FILE.safetensors` makes one"


@dataclass(frozen=True)
class TemplateInfo:
    """What a library records about one chain."""

    name: str
    """Entry, underscore, chain."""
    entry: str
    """Database entry, or the name of the file or target, in lower case."""
    release_date: str = NO_DATE
    """YYYY-MM-DD; `NO_DATE` when unknown."""
    cluster: int = -1
    """Sequence cluster at 80 % identity; −1 when unknown."""
    benchmark: str = ""
    """Benchmark that the chain is a native of."""


@dataclass(frozen=True)
class TemplateChain:
    """One known structure, as a library holds it."""

    info: TemplateInfo
    bases: UInt8[np.ndarray, " L"]
    """Codes over `rnagen.structure.BASES`."""
    coords: Float32[np.ndarray, "L 4 3"]
    """Beads in Å, zero where masked."""
    mask: Bool[np.ndarray, "L 4"]
    pair_table: Int16[np.ndarray, " L"]
    """Base pairs of the structure."""

    @classmethod
    def of(
        cls, structure: RNAStructure, info: TemplateInfo, pair_table: Int16[np.ndarray, " L"] | None = None
    ) -> "TemplateChain":
        """The model of a structure that has the most atoms; of equals, as in most NMR bundles, the first.

        Args:
            structure: of any atoms.
            info: about it.
            pair_table: its base pairs where they are known already.
        """
        best = structure.models([int(structure.mask.sum(axis=(1, 2)).argmax())])
        beads = best.select_atoms(BEADS)
        pairs = canonical_pair_table(best) if pair_table is None else pair_table
        return cls(info, encode_sequence(best.sequence).astype(np.uint8), beads.coords[0], beads.mask[0], pairs)

    def __len__(self) -> int:
        """Number of residues."""
        return len(self.bases)

    @property
    def sequence(self) -> str:
        """Over `rnagen.structure.BASES`."""
        return "".join(BASES[code] for code in self.bases)


@dataclass(frozen=True, repr=False)
class Library:
    """N known structures, laid end to end."""

    infos: tuple[TemplateInfo, ...]
    lengths: Int64[np.ndarray, " N"]
    bases: UInt8[np.ndarray, " residues"]
    coords: Float32[np.ndarray, "residues 4 3"]
    mask: Bool[np.ndarray, "residues 4"]
    pair_tables: Int16[np.ndarray, " residues"]
    """Positions within the chain; see `rnagen.structure`."""

    @classmethod
    def of(cls, chains: Sequence[TemplateChain]) -> "Library":
        """A library of these chains."""
        lengths = np.array([len(chain) for chain in chains], dtype=np.int64)
        return cls(
            tuple(chain.info for chain in chains),
            lengths,
            np.concatenate([np.zeros(0, np.uint8), *(chain.bases for chain in chains)]),
            np.concatenate([np.zeros((0, len(BEADS), 3), np.float32), *(chain.coords for chain in chains)]),
            np.concatenate([np.zeros((0, len(BEADS)), bool), *(chain.mask for chain in chains)]),
            np.concatenate([np.zeros(0, np.int16), *(chain.pair_table for chain in chains)]),
        )

    @classmethod
    def open(cls, path: Path = SHIPPED) -> "Library":
        """Read a library file.

        Raises:
            InputError: it is missing, damaged or of another format.
        """
        if not path.is_file():
            raise InputError(path, None, f"no such template library; {_AGAIN}")
        try:
            with safe_open(path, "np") as file:
                described = parse_json((file.metadata() or {})["rnagen"], path)
                if described.get("kind") != KIND:
                    raise InputError(path, None, f"holds something else than a template library; {_AGAIN}")
                if described["format"] != FORMAT:
                    raise InputError(path, None, f"is a library of format {described['format']!r}; {_AGAIN}")
                tensors = {
                    name: file.get_tensor(name) for name in ("lengths", "bases", "coords", "mask", "pair_tables")
                }
            infos = tuple(TemplateInfo(*row) for row in zip(*(described["chains"][name] for name in _COLUMNS)))
        except (SafetensorError, OSError) as error:
            raise InputError(path, None, f"cannot be read as safetensors (truncated?): {error}") from error
        except (KeyError, TypeError) as error:
            raise InputError(path, None, f"is not a template library: {error!r}; {_AGAIN}") from error
        residues = int(tensors["lengths"].sum())
        if len(tensors["lengths"]) != len(infos) or any(len(tensors[name]) != residues for name in _PER_RESIDUE):
            raise InputError(path, None, f"its tables do not fit together; {_AGAIN}")
        coords = tensors["coords"].astype(np.float32) * np.float32(STEP)
        lengths, mask = tensors["lengths"].astype(np.int64), tensors["mask"].astype(bool)
        return cls(infos, lengths, tensors["bases"], coords, mask, tensors["pair_tables"])

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all. The bytes depend on the contents alone.

        Raises:
            OSError: the folder cannot be written or the disk is full.
            ValueError: a chain reaches further than `FARTHEST` from its centre.
        """
        columns = {name: [getattr(info, name) for info in self.infos] for name in _COLUMNS}
        described = {"kind": KIND, "format": FORMAT, "rnagen": __version__, "chains": columns}
        tensors: dict[str, np.ndarray] = {
            "lengths": self.lengths.astype(np.int32),
            "bases": self.bases.astype(np.uint8),
            "coords": self._whole_steps(),
            "mask": self.mask.astype(np.uint8),
            "pair_tables": self.pair_tables.astype(np.int16),
        }
        with atomic_write(path) as file:
            file.write(save(tensors, {"rnagen": json.dumps(described, sort_keys=True)}))

    def _whole_steps(self) -> Int16[np.ndarray, "residues 4 3"]:
        steps = np.zeros(self.coords.shape, dtype=np.int16)
        for row in range(len(self)):
            part = self._part(row)
            centred = centred_beads(self.coords[part], self.mask[part])
            if np.abs(centred).max(initial=0) > FARTHEST:
                raise ValueError(f"{self.infos[row].name}: reaches further than {FARTHEST:.0f} Å from its centre")
            steps[part] = np.round(centred / STEP)
        return steps

    def __len__(self) -> int:
        """Number of chains."""
        return len(self.infos)

    def __repr__(self) -> str:
        return f"Library({self.summary()})"

    def summary(self) -> str:
        """What it holds, in one line."""
        dated = sorted(date for date in self.dates.tolist() if date != NO_DATE)
        undated, benchmark = len(self) - len(dated), sum(bool(info.benchmark) for info in self.infos)
        sequences = len(set(self.sequence_numbers.tolist()))
        parts = [f"{len(self):,} chains of {sequences:,} sequences", f"{int(self.lengths.sum()):,} residues"]
        parts += [f"released {dated[0]} to {dated[-1]}"] if dated else []
        parts += [f"{undated:,} without a date"] if undated else []
        return ", ".join(parts + ([f"{benchmark:,} of a benchmark"] if benchmark else []))

    @cached_property
    def offsets(self) -> Int64[np.ndarray, " N"]:
        """First row of each chain in the tensors of residues."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def dates(self) -> np.ndarray:
        """Release date of each chain, as text."""
        return np.array([info.release_date for info in self.infos], dtype=str)

    @cached_property
    def sequence_numbers(self) -> Int64[np.ndarray, " N"]:
        """Equal for chains of equal sequence."""
        numbers: dict[bytes, int] = {}
        keys = [self.bases[self._part(row)].tobytes() for row in range(len(self))]
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)

    def chain(self, row: int) -> TemplateChain:
        """One chain, as views."""
        part = self._part(row)
        return TemplateChain(
            self.infos[row], self.bases[part], self.coords[part], self.mask[part], self.pair_tables[part]
        )

    def select(self, rows: Iterable[int]) -> "Library":
        """A library of some of the chains."""
        return Library.of([self.chain(row) for row in rows])

    def _part(self, row: int) -> slice:
        start = int(self.offsets[row])
        return slice(start, start + int(self.lengths[row]))


_COLUMNS = tuple(field.name for field in fields(TemplateInfo))
_PER_RESIDUE = ("bases", "coords", "mask", "pair_tables")


def is_library(path: Path) -> bool:
    """Whether a file is a template library, by its mark."""
    try:
        with safe_open(path, "np") as file:
            return bool(parse_json((file.metadata() or {})["rnagen"], path).get("kind") == KIND)
    except (SafetensorError, OSError, KeyError, InputError):
        return False
