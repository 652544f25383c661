"""Ideal A-form double helix with four beads per residue, and the bead frame that carries it to other backbones.

C1' of one strand follows radius, twist and rise of `rnagen.geometry`; the other strand is its image under a two-fold
axis across the helix. The position of the axis was fitted to tabulated distances across base pairs (within 0.25 Å). The
other beads are medians over 693 six-pair helices of crystal structures better than 2.6 Å, onto which the C1' of this
helix superpose with 0.62 Å (median).
"""

import numpy as np
from jaxtyping import Float64

from rnagen.geometry import A_FORM_RADIUS, A_FORM_RISE, A_FORM_TWIST
from rnagen.structure import BEADS

PAIRED_ANGLE = np.radians(78.6)
"""Angle about the helix axis between the two C1' of a base pair."""
PAIRED_RISE = -2.30
"""Å, the same along the axis."""

# Radius (Å), angle (degrees) and height (Å) of each bead against the C1' of its residue.
_CYLINDER = {
    "P": (9.2, -32.2, 1.92),
    "C4'": (9.69, -9.2, 1.20),
    "C1'": (A_FORM_RADIUS, 0.0, 0.0),
    "N": (6.84, -0.8, -0.1),
}
C1 = BEADS.index("C1'")


def helix(num_pairs: int) -> tuple[Float64[np.ndarray, "N 4 3"], Float64[np.ndarray, "N 4 3"]]:
    """Beads (Å) of both strands of a right-handed helix along +z.

    The first strand runs 5' to 3' with the rows; row k of the second pairs with row k of the first, so that
    strand runs 3' to 5'.
    """
    radius, angle, height = np.array([_CYLINDER[bead] for bead in BEADS]).T
    angle = np.radians(angle)
    twist = A_FORM_TWIST * np.arange(num_pairs)[:, None]
    rise = A_FORM_RISE * np.arange(num_pairs)[:, None]
    first = _cartesian(radius, twist + angle, rise + height)
    second = _cartesian(radius, twist + PAIRED_ANGLE - angle, rise + PAIRED_RISE - height)
    return first, second


def _cartesian(radius: np.ndarray, angle: np.ndarray, height: np.ndarray) -> Float64[np.ndarray, "N 4 3"]:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height + 0 * angle], axis=-1)


def pair_frame(
    first: Float64[np.ndarray, " 3"], second: Float64[np.ndarray, " 3"], axis: Float64[np.ndarray, " 3"]
) -> Float64[np.ndarray, "3 3"]:
    """Right-handed frame of a base pair, as rows: from C1' to C1', along the helix, and their product."""
    across = _unit(second - first)
    along = _unit(axis - (axis @ across) * across)
    return np.stack([across, along, np.cross(across, along)])


def backbone_frames(c1: Float64[np.ndarray, "L 3"]) -> Float64[np.ndarray, "L 3 3"]:
    """Right-handed frame of each residue, as rows, from three successive C1': along the chain, to the inside of its
    bend, and their product. The ends take the frames of their neighbours; L is at least 3 and no three are in line."""
    along = _unit(c1[2:] - c1[:-2])
    bend = c1[2:] + c1[:-2] - 2 * c1[1:-1]
    inside = _unit(bend - (bend * along).sum(-1, keepdims=True) * along)
    inner = np.stack([along, inside, np.cross(along, inside)], axis=1)
    return np.concatenate([inner[:1], inner, inner[-1:]])


def beads_on_backbone(c1: Float64[np.ndarray, "L 3"]) -> Float64[np.ndarray, "L 4 3"]:
    """Beads around a C1' trace, each residue as it stands in a strand of the ideal helix."""
    strand = helix(3)[0]
    ideal = backbone_frames(strand[:, C1])[1]
    offsets = (strand[1] - strand[1, C1]) @ ideal.T
    return c1[:, None] + offsets @ backbone_frames(c1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
