"""The output of a pretrained encoder: of a batch, of one RNA, and in files."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int
from torch import Tensor


@dataclass(frozen=True)
class Encoded:
    """Output of a pretrained encoder of n layers for a padded batch of RNAs; arbitrary on padding."""

    layers: Float[Tensor, "B L n d"]
    """Output of every layer, each residue's normalised to mean 0 and variance 1; 0 for a masked RNA."""
    pair: Float[Tensor, "B L L c"] | None
    """Pair representation, normalised likewise; None where the encoder has none."""

    def to(self, device: torch.device | str) -> "Encoded":
        """The same on another device."""
        return Encoded(self.layers.to(device), None if self.pair is None else self.pair.to(device))

    def without(self, masked: Bool[Tensor, " B"]) -> "Encoded":
        """The same, without the masked RNAs."""
        masked = masked[:, None, None, None]
        pair = None if self.pair is None else self.pair.masked_fill(masked, 0)
        return Encoded(self.layers.masked_fill(masked, 0), pair)


class EncodedRNA(NamedTuple):
    """`Encoded` of one RNA, or of some of its residues, in half precision."""

    layers: Float16[np.ndarray, "L n d"]
    pair: Float16[np.ndarray, "L L c"] | None

    def batch(self) -> Encoded:
        """As a batch of one."""
        pair = None if self.pair is None else torch.from_numpy(self.pair)[None]
        return Encoded(torch.from_numpy(self.layers)[None], pair)


@dataclass(frozen=True)
class EncodedFile:
    """Where the encoding of one RNA lies. Picklable: a worker process maps the same files."""

    layers: Path
    pair: Path | None

    def crop(self, residues: Int[np.ndarray, " crop"]) -> EncodedRNA:
        """The rows (and columns) of some residues; nothing else is read."""
        pair = None if self.pair is None else np.load(self.pair, mmap_mode="r")[np.ix_(residues, residues)]
        return EncodedRNA(np.load(self.layers, mmap_mode="r")[residues], pair)

    def whole(self) -> EncodedRNA:
        """All residues, in memory."""
        return EncodedRNA(np.load(self.layers), None if self.pair is None else np.load(self.pair))
