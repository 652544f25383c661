"""Training references: structures copied from templates for the chains of a dataset, in one file.

A safetensors file, made once before a training: flat tensors of all residues, and what is known about each reference as
JSON in its metadata. `runs/references.py` makes one.
"""

import json
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int16, Int64
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor

from rnagen.errors import InputError
from rnagen.io.files import atomic_write, parse_json
from rnagen.structure import BEADS
from rnagen.templates.storage import FARTHEST, STEP, centred_beads
from rnagen.version import __version__

FORMAT = 1
KIND = "training references"
"""Mark in the metadata: datasets and template libraries are safetensors files too."""
_AGAIN = "`python runs/references.py` makes one"
_TENSORS = ("trust", "lengths", "coords", "mask")


@dataclass(frozen=True)
class ReferenceFacts:
    """What is recorded about a reference to check it; training does not read it."""

    release_date: str
    """ISO date of the template."""
    identity: float
    """Share of equal bases among the aligned residues."""
    coverage: float
    """Share of the chain's residues that are aligned with a resolved residue."""
    tm: float
    """TM-score of the copy against the first model of the chain, residues matched by number: a share of the resolved
    residues, of which those that were not copied score nothing."""


@dataclass(frozen=True, repr=False)
class ChainReferences:
    """Structures copied from templates for chains of a dataset, laid end to end: N references.

    Reference k has `lengths[k]` rows in `coords` and `mask`, one for each residue of its chain.
    """

    chains: tuple[str, ...]
    """Name of the chain that each reference is for; a chain has several."""
    templates: tuple[str, ...]
    """Name of the template chain."""
    trust: Float32[Tensor, " N"]
    """Predicted TM-score."""
    lengths: Int64[Tensor, " N"]
    """Residues of the chain."""
    coords: Float32[Tensor, "rows 4 3"]
    """Beads (`rnagen.structure.BEADS`) in Å; zero where masked."""
    mask: Bool[Tensor, "rows 4"]
    """Beads that were copied from the template."""
    facts: tuple[ReferenceFacts, ...] = ()
    """Of each reference; empty where nothing is recorded."""

    @classmethod
    def open(cls, path: Path) -> "ChainReferences":
        """Read a file of references.

        Raises:
            InputError: it is missing, damaged, of another format or something else.
        """
        if not path.is_file():
            raise InputError(path, None, f"no such file of training references; {_AGAIN}")
        try:
            with safe_open(path, "np") as file:
                described = parse_json((file.metadata() or {})["rnagen"], path)
                if described.get("kind") != KIND:
                    raise InputError(path, None, f"holds something else than training references; {_AGAIN}")
                if described["format"] != FORMAT:
                    raise InputError(path, None, f"has references of format {described['format']!r}; {_AGAIN}")
                arrays = {name: file.get_tensor(name) for name in _TENSORS}
            names = tuple(described["chains"]), tuple(described["templates"])
            facts = tuple(ReferenceFacts(*row) for row in described["facts"])
        except (SafetensorError, OSError) as error:
            raise InputError(path, None, f"cannot be read as safetensors (truncated?): {error}") from error
        except (KeyError, TypeError) as error:
            raise InputError(path, None, f"is not a file of training references: {error!r}; {_AGAIN}") from error
        numbers = {*map(len, names), len(arrays["trust"]), len(arrays["lengths"]), len(facts) or len(names[0])}
        shape = int(arrays["lengths"].sum()), len(BEADS)
        fits = len(numbers) == 1 and arrays["coords"].shape == (*shape, 3) and arrays["mask"].shape == shape
        if not fits:
            raise InputError(path, None, f"its tables do not fit together; {_AGAIN}")
        return cls(
            *names,
            trust=torch.from_numpy(arrays["trust"].astype(np.float32)),
            lengths=torch.from_numpy(arrays["lengths"].astype(np.int64)),
            coords=torch.from_numpy(arrays["coords"].astype(np.float32) * np.float32(STEP)),
            mask=torch.from_numpy(arrays["mask"].astype(bool)),
            facts=facts,
        )

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all. The bytes depend on the contents alone.

        Coordinates are stored about the centre of each reference, in steps of 0.01 Å.

        Raises:
            OSError: the folder cannot be written or the disk is full.
            ValueError: a reference reaches further from its centre than `rnagen.templates.storage.FARTHEST`.
        """
        described = {"kind": KIND, "format": FORMAT, "rnagen": __version__}
        names = {"chains": self.chains, "templates": self.templates, "facts": [astuple(one) for one in self.facts]}
        arrays = {
            "trust": self.trust.numpy().astype(np.float32),
            "lengths": self.lengths.numpy().astype(np.int32),
            "coords": self._whole_steps(),
            "mask": self.mask.numpy().astype(np.uint8),
        }
        with atomic_write(path) as file:
            file.write(save(arrays, {"rnagen": json.dumps(described | names, sort_keys=True)}))

    def __len__(self) -> int:
        """Number of references."""
        return len(self.chains)

    def __repr__(self) -> str:
        return f"ChainReferences({len(self):,} of {len(self._by_chain):,} chains, {len(self.coords):,} residues)"

    def of(self, name: str) -> tuple[int, ...]:
        """The references of a chain, by number, in the order of the file; none for a chain without any."""
        return self._by_chain.get(name, ())

    def reference(self, k: int) -> tuple[Float32[Tensor, "L 4 3"], Bool[Tensor, "L 4"]]:
        """Coordinates and mask of reference k, as views."""
        part = self._part(k)
        return self.coords[part], self.mask[part]

    @cached_property
    def offsets(self) -> Int64[Tensor, " N"]:
        """First row of each reference in the tensors of residues."""
        return self.lengths.cumsum(0) - self.lengths

    @cached_property
    def _by_chain(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for k, name in enumerate(self.chains):
            found[name] = (*found.get(name, ()), k)
        return found

    def _part(self, k: int) -> slice:
        start = int(self.offsets[k])
        return slice(start, start + int(self.lengths[k]))

    def _whole_steps(self) -> Int16[np.ndarray, "rows 4 3"]:
        steps = np.zeros(tuple(self.coords.shape), dtype=np.int16)
        for k in range(len(self)):
            coords, mask = (tensor.numpy() for tensor in self.reference(k))
            if not mask.any():
                continue
            centred = centred_beads(coords, mask)
            if np.abs(centred).max() > FARTHEST:
                raise ValueError(f"{self.templates[k]}: reaches further than {FARTHEST:.0f} Å from its centre")
            steps[self._part(k)] = np.round(centred / STEP)
        return steps
