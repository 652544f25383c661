"""The output of a frozen encoder for each RNA: computed once, mapped from disk, cropped into batches."""

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float16, Int
from torch import Tensor

from rnagen.data.padding import pad
from rnagen.encoded import Encoded, EncodedFile, EncodedRNA
from rnagen.features import from_residues
from rnagen.io.files import atomic_write
from rnagen.model.conditioning import read
from rnagen.model.encoders import Encoder
from rnagen.parallel import parallel_map
from rnagen.secondary.pairs import SparsePairs
from rnagen.structure import encode_sequence


class EncodedCache:
    """A folder of encodings by one encoder, one or two files per RNA: 2·n·d bytes a residue for n layers of width d,
    and 2·c bytes a pair of residues where there is a pair representation. A file appears whole or not at all.

    The encoder reads the full sequence with residues numbered from 1, as in its own training: an encoding depends on
    the sequence and its base pairs, not on the numbering of a chain.

    Args:
        folder: for encodings by any encoder; each has a folder in it, named by its weights.
        encoder: frozen, or never changed while the cache is used.
        device: where missing encodings are computed.
    """

    def __init__(self, folder: Path, encoder: Encoder, device: torch.device | str = "cpu") -> None:
        self.folder = folder / encoder_fingerprint(encoder)[:32]
        self.encoder = encoder
        self.device = device

    def file(self, sequence: str, pairs: SparsePairs) -> EncodedFile:
        """Files of the encoding of an RNA, present or not."""
        key = hashlib.sha256(sequence.encode())
        key.update(np.ascontiguousarray(pairs.pairs).tobytes())
        key.update(np.ascontiguousarray(pairs.probabilities).tobytes())
        stem = key.hexdigest()[:32]
        pair = None if self.encoder.pair_dim is None else self.folder / f"{stem}.pair.npy"
        return EncodedFile(self.folder / f"{stem}.layers.npy", pair)

    def encode(self, rnas: Sequence[tuple[str, SparsePairs]]) -> list[EncodedFile]:
        """The encodings of RNAs; those that are missing are computed, each once."""
        files = [self.file(sequence, pairs) for sequence, pairs in rnas]
        missing = {file.layers: rna for file, rna in zip(files, rnas) if not _is_there(file)}
        if missing:
            # A copy: the encoder itself is part of a model that moves to its device by itself.
            encoder = deepcopy(self.encoder).to(self.device).eval()
            for (sequence, pairs), encoded in parallel_map(
                lambda rna: encode_rna(encoder, *rna), list(missing.values()), 1, f"Encoding {len(missing)} sequences"
            ):
                self._write(self.file(sequence, pairs), encoded)
        return files

    def _write(self, file: EncodedFile, encoded: EncodedRNA) -> None:
        if file.pair is not None and encoded.pair is not None:
            _save(file.pair, encoded.pair)
        # Last: its presence means that both are there.
        _save(file.layers, encoded.layers)


def encoded_crops(files: Sequence[EncodedFile], residues: Int[Tensor, "B L"], mask: Bool[Tensor, "B L"]) -> Encoded:
    """The encodings of some residues of each RNA, on the device of `residues`; zero where masked."""
    length, visible = residues.shape[1], mask.sum(1).tolist()
    crops = [file.crop(row[:n]) for file, row, n in zip(files, residues.cpu().numpy(), visible)]
    pairs = [crop.pair for crop in crops if crop.pair is not None]
    encoded = Encoded(pad([crop.layers for crop in crops], length), pad(pairs, length, axes=2) if pairs else None)
    return encoded.to(residues.device)


@torch.no_grad()
def encode_rna(encoder: Encoder, sequence: str, pairs: SparsePairs) -> EncodedRNA:
    """Output of an encoder in evaluation mode for a sequence over `BASES`.

    Raises:
        ValueError: a value is not finite in half precision.
    """
    features = from_residues(encode_sequence(sequence), pairs)
    encoded = read(encoder, features.to(next(encoder.parameters()).device))
    return EncodedRNA(_half(encoded.layers), None if encoded.pair is None else _half(encoded.pair))


def encoder_fingerprint(encoder: Encoder) -> str:
    """SHA-256 of the kind and weights of an encoder, wherever they came from."""
    digest = hashlib.sha256(type(encoder).__name__.encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _half(values: Tensor) -> Float16[np.ndarray, "..."]:
    half = values[0].to("cpu", torch.float16).numpy()
    if not np.isfinite(half).all():
        raise ValueError("the encoder gives values that are not finite")
    return half


def _is_there(file: EncodedFile) -> bool:
    return file.layers.is_file() and (file.pair is None or file.pair.is_file())


def _save(path: Path, array: Float16[np.ndarray, "..."]) -> None:
    with atomic_write(path) as opened:
        np.save(opened, array)
