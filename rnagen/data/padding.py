"""Arrays of different lengths in one tensor."""

import numpy as np
import torch
from torch import Tensor


def padded_length(lengths: list[int], bucket: int) -> int:
    """The longest length, rounded up to a multiple of `bucket`."""
    return -(-max(lengths) // bucket) * bucket


def pad(arrays: list[np.ndarray], length: int, axes: int = 1) -> Tensor:
    """Stack arrays whose first `axes` axes are padded with zeros to `length`: [B, length, ...]."""
    out = np.zeros((len(arrays), *[length] * axes, *arrays[0].shape[axes:]), dtype=arrays[0].dtype)
    for row, array in zip(out, arrays):
        row[tuple(slice(n) for n in array.shape[:axes])] = array
    return torch.from_numpy(out)
