"""Beads and base pairs of chains of which only C1' is known, by the nearest fragments of known structures."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from rnagen.geometry import kabsch, rotate
from rnagen.secondary.native import bead_pair_table
from rnagen.structure import BEADS, UNKNOWN
from rnagen.templates.library import C1, Library, TemplateChain

WINDOW = 5
"""Residues of a fragment; the beads are those of the middle one."""
_HALF = WINDOW // 2
_NEIGHBOUR = 9.0
"""Å between C1' of neighbours at most."""


class Fragments:
    """Windows of five residues of a library, to be looked up by their C1'.

    A window is described by its ten C1' distances and by the volume that three of its steps span, as a length with a
    sign, which tells it from its mirror image.

    Args:
        library: structures of which some have all beads.
    """

    def __init__(self, library: Library) -> None:
        # Slow to import, and the library needs no fragments.
        from scipy.spatial import cKDTree

        traces = [np.zeros((0, WINDOW, 3), np.float32)]
        middles = [np.zeros((0, len(BEADS), 3), np.float32)]
        for row in range(len(library)):
            chain = library.chain(row)
            whole = np.asarray(chain.mask.all(axis=1))
            starts = _starts(chain.coords[:, C1], whole)
            traces.append(chain.coords[starts[:, None] + np.arange(WINDOW), C1])
            middles.append(chain.coords[starts + _HALF])
        self._traces, self._middles = np.concatenate(traces), np.concatenate(middles)
        self._tree = cKDTree(_described(self._traces))

    def __len__(self) -> int:
        """Number of windows."""
        return len(self._traces)

    def complete(self, chain: TemplateChain) -> TemplateChain:
        """The chain with the beads it lacks where it has C1' of the residue and of two neighbours on each side, and, if
        all of its base pairs are unknown, with those that the beads show; as it is where there are no fragments."""
        starts = _starts(chain.coords[:, C1], chain.mask[:, C1])
        if not len(starts) or not len(self):
            return chain
        windows = chain.coords[starts[:, None] + np.arange(WINDOW), C1]
        _, nearest = self._tree.query(_described(windows))
        mobile, target = torch.from_numpy(self._traces[nearest]), torch.from_numpy(windows)
        rotation, translation = kabsch(mobile, target, torch.ones(mobile.shape[:2], dtype=torch.bool))
        beads = (rotate(torch.from_numpy(self._middles[nearest]), rotation) + translation[:, None]).numpy()
        # The bead frame goes with its C1', which stays where it is.
        beads += (windows[:, _HALF] - beads[:, C1])[:, None]
        coords, mask = chain.coords.copy(), chain.mask.copy()
        rows = starts + _HALF
        coords[rows] = np.where(mask[rows][..., None], coords[rows], beads)
        mask[rows] = True
        pair_table = chain.pair_table
        if (pair_table == UNKNOWN).all():
            pair_table = bead_pair_table(chain.sequence, coords, mask)
        return replace(chain, coords=coords, mask=mask, pair_table=pair_table)


def _starts(c1: Float32[np.ndarray, "L 3"], known: Bool[np.ndarray, " L"]) -> Int64[np.ndarray, " W"]:
    """First residues of the windows without a gap."""
    joined = known[:-1] & known[1:] & (np.linalg.norm(np.diff(c1, axis=0), axis=-1) < _NEIGHBOUR)
    run = (
        np.convolve(joined, np.ones(WINDOW - 1, dtype=int), mode="valid") if len(joined) >= WINDOW - 1 else np.zeros(0)
    )
    return np.flatnonzero(run == WINDOW - 1)


def _described(windows: Float32[np.ndarray, "W 5 3"]) -> Float32[np.ndarray, "W 12"]:
    first, second = np.triu_indices(WINDOW, 1)
    distances = np.linalg.norm(windows[:, first] - windows[:, second], axis=-1)
    steps = np.diff(windows, axis=1)
    volumes = [np.linalg.det(steps[:, k : k + 3]) for k in range(2)]
    return np.concatenate([distances, np.cbrt(np.stack(volumes, axis=1))], axis=1)
