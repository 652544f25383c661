"""A picture of sampled conformers on the native structure: C1' traces, a panel for each RNA."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32

from rnagen.geometry import superpose
from rnagen.messages import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NATIVE, BEST, OTHERS = "black", "#d55e00", "#56b4e9"
"""Colours of the traces; distinct for colour-blind readers."""
PANEL, HEAD, FOOT = 3.4, 0.5, 0.35
"""Inches: side of a panel, height of the titles and of the legend."""
ZOOM = 1.6
"""Fills the panel: a view from any side would need some room that this one does not."""
ELEVATION = 65
"""Degrees above the plane of the two longest axes: depth can be seen, and hardly any length is lost."""
LONGEST_NAME = 30


@dataclass(frozen=True)
class SampledRNA:
    """n conformers of an RNA whose native structure is known; C1' coordinates in Å, in any pose."""

    name: str
    native: Float32[np.ndarray, "L 3"]
    mask: Bool[np.ndarray, " L"]
    """Residues that the native structure has."""
    conformers: Float32[np.ndarray, "n L 3"]
    tm: Float[np.ndarray, " n"]
    """TM-score of each conformer."""

    @property
    def title(self) -> str:
        """Name, length and best TM-score, in two lines."""
        name = f"{one_line(self.name, LONGEST_NAME)}, {len(self.mask)} nt"
        return f"{name}\nTM-score {self.tm.max():.2f}, best of {len(self.tm)}"

    def superposed(self) -> tuple[Float[np.ndarray, "L 3"], Float[np.ndarray, "n L 3"]]:
        """The native structure along its principal axes, the longest first, NaN where it has no residue; and the
        conformers, each superposed on it over the residues that it has. No mirror images."""
        native, mask = torch.from_numpy(self.native), torch.from_numpy(self.mask)
        conformers = torch.from_numpy(self.conformers)
        placed = superpose(conformers, native.expand_as(conformers), mask.expand(conformers.shape[:2])).numpy()
        centre = self.native[self.mask].mean(0)
        axes = np.linalg.svd(self.native[self.mask] - centre)[2]
        axes[2] *= np.linalg.det(axes)
        return (np.where(self.mask[:, None], self.native, np.nan) - centre) @ axes.T, (placed - centre) @ axes.T


def draw_structures(rnas: Sequence[SampledRNA]) -> "Figure":
    """A panel for each of the RNAs, at least one: its native structure, its conformers and their best TM-score. Gaps of
    a trace are residues that the native structure lacks."""
    # A training imports this module where there may be no matplotlib.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = HEAD + PANEL + FOOT
    figure = Figure(figsize=(PANEL * len(rnas), height))
    FigureCanvasAgg(figure)
    for k, rna in enumerate(rnas):
        box = (k / len(rnas), FOOT / height, 1 / len(rnas), PANEL / height)
        _draw_traces(figure.add_axes(box, projection="3d", proj_type="ortho"), rna)
        # A dollar sign in a name does not start a formula.
        figure.text((k + 0.5) / len(rnas), 0.98, rna.title, fontsize=9, ha="center", va="top", parse_math=False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), fontsize=8, frameon=False)
    return figure


def _draw_traces(axes: Any, rna: SampledRNA) -> None:
    native, conformers = rna.superposed()
    best = int(rna.tm.argmax())
    others = [conformer for k, conformer in enumerate(conformers) if k != best]
    for k, conformer in enumerate(others):
        axes.plot(*conformer.T, color=OTHERS, linewidth=0.7, label=None if k else "other conformers")
    axes.plot(*conformers[best].T, color=BEST, linewidth=1.2, label="best conformer")
    axes.plot(*native.T, color=NATIVE, linewidth=1.6, label="native")
    reach = max(np.nanmax(np.abs(native)), np.abs(conformers).max())
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    axes.set_box_aspect((1, 1, 1), zoom=ZOOM)
    axes.view_init(elev=ELEVATION, azim=-90)
    axes.set_axis_off()
