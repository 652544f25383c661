"""Fidelity of an interaction network: base pairs and stacking of a prediction against those of the native.

Parisien, Cruz, Westhof and Major, "New metrics for comparing and assessing discrepancies between RNA 3D structures and
models", RNA 15, 1875 (2009), eq. 3: the geometric mean of precision and sensitivity.
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkFidelity:
    """INF of one conformer, each from 0 to 1; None where the native has no such interaction.

    An interaction is right if it is between the same two residues; a non-canonical pair also has to be of the same
    kind.
    """

    inf: float | None
    """Of all pairs and stacking."""
    inf_wc: float | None
    """Of canonical pairs."""
    inf_nwc: float | None
    """Of non-canonical pairs."""
    inf_stacking: float | None


def network_fidelity(predicted: Collection[Hashable], native: Collection[Hashable]) -> float | None:
    """√(PPV · sensitivity) of distinct interactions, from 0 to 1; 0 where nothing is predicted, None where the native
    has none."""
    found, true = set(predicted), set(native)
    if not true:
        return None
    both = len(found & true)
    return both / (len(found) * len(true)) ** 0.5 if both else 0.0
