"""Fragments of experimental structures: the sugar and backbone of one nucleotide, the plane of its base, and where the
beads of its neighbours lie.

runs/nucleotides.py makes the file.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from rnagen.structure import BACKBONE_ATOMS

FILE = Path(__file__).parents[1] / "assets" / "nucleotides.safetensors"
PLANE = ("N", "C4|C2", "C8|C6")
"""Atoms of the base in a fragment, of purines and of pyrimidines: they hold its place, and ideal bases go there."""
POINTS = (*BACKBONE_ATOMS, *PLANE, "P+")
"""Points of a fragment; + is of the next residue."""
CONTEXT = ("C1'-", "N-", "C4'+", "C1'+", "N+")
"""Beads of the previous and the next residue that help to choose a fragment."""
PLACE = {name: k for k, name in enumerate(POINTS + CONTEXT)}
FRAME = ("C1'", "N", "C4'")
"""Beads that a fragment's frame stands on: origin, first axis, and plane."""


@dataclass(frozen=True, eq=False)
class Fragments:
    """F fragments, each in its own frame."""

    coords: Float[Tensor, "F 21 3"]
    """Å; `POINTS`, then `CONTEXT`, in the frame of `frames`."""
    is_purine: Bool[Tensor, " F"]

    @classmethod
    def read(cls, path: Path = FILE) -> "Fragments":
        """Read a file that `write` wrote.

        Raises:
            OSError: there is no such file.
        """
        found = load_file(path)
        return cls(found["coords"].float(), found["is_purine"])

    def write(self, path: Path) -> None:
        """In half precision: off by 0.004 Å at most at 8 Å."""
        save_file({"coords": self.coords.half().contiguous(), "is_purine": self.is_purine}, path)

    def __len__(self) -> int:
        """Number of fragments F."""
        return len(self.coords)


@cache
def fragments() -> Fragments:
    """Those that are shipped."""
    return Fragments.read()


def frames(
    origin: Float[Tensor, "*n 3"], along: Float[Tensor, "*n 3"], aside: Float[Tensor, "*n 3"]
) -> Float[Tensor, "*n 3 3"]:
    """Right-handed frames, as rows: from `origin` to `along`, towards `aside`, and their product."""
    first = torch.nn.functional.normalize(along - origin, dim=-1)
    rest = aside - origin
    second = torch.nn.functional.normalize(rest - (rest * first).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -2)
