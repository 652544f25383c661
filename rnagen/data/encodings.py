"""What a pretrained encoder says of an RNA, as arrays and as files; `rnagen.data.encoded_cache` computes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float16, Int
from torch import Tensor

from rnagen.data.padding import pad
from rnagen.features import Encoded


class EncodedRNA(NamedTuple):
    """`rnagen.features.Encoded` of one RNA, or of some of its residues, in half precision."""

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


def encoded_crops(files: Sequence[EncodedFile], residues: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Encoded:
    """The encodings of the residues shown of each RNA, on the device of `residues`; zero where masked."""
    length, visible = residues.shape[1], mask.sum(1).tolist()
    crops = [file.crop(row[:n]) for file, row, n in zip(files, residues.cpu().numpy(), visible)]
    pairs = [crop.pair for crop in crops if crop.pair is not None]
    encoded = Encoded(pad([crop.layers for crop in crops], length), pad(pairs, length, axes=2) if pairs else None)
    return encoded.to(residues.device)
