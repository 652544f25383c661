"""What a pretrained encoder says of an RNA, as arrays and as files; `rnagen.data.encoded_cache` computes it."""

from collections.abc import Sequence

from jaxtyping import Bool, Int
from torch import Tensor

from rnagen.data.padding import pad
from rnagen.features import Encoded, EncodedFile


def encoded_crops(files: Sequence[EncodedFile], residues: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Encoded:
    """The encodings of the residues shown of each RNA, on the device of `residues`; zero where masked."""
    length, visible = residues.shape[1], mask.sum(1).tolist()
    crops = [file.crop(row[:n]) for file, row, n in zip(files, residues.cpu().numpy(), visible)]
    pairs = [crop.pair for crop in crops if crop.pair is not None]
    encoded = Encoded(pad([crop.layers for crop in crops], length), pad(pairs, length, axes=2) if pairs else None)
    return encoded.to(residues.device)
