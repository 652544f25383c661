"""The picture of the README: conformers of one RNA, superposed, each coloured from 5' (blue) to 3' (red).

    python sample.py --n 5 --out out/examples
    python benchmarks/picture.py out/examples/trna_phe_76/ensemble.cif docs/ensemble.png

Needs matplotlib (`pip install -e '.[dev]'`).
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from scipy.interpolate import CubicSpline

from rnagen.geometry import superpose
from rnagen.io.read import read_structures


def smooth(points: np.ndarray, per_residue: int = 6) -> np.ndarray:
    """A spline through the points."""
    knots = np.arange(len(points))
    return CubicSpline(knots, points)(np.linspace(0, len(points) - 1, per_residue * len(points)))


def superposed(file: Path) -> np.ndarray:
    """P and C1' of all models of the first chain [n, L, 2, 3], on the first model, in its principal plane."""
    coords = torch.from_numpy(read_structures(file)[0].select_atoms(("P", "C1'")).coords)
    points = coords.flatten(1, 2)
    moved = superpose(points, points[:1].expand_as(points), torch.ones(points.shape[:2], dtype=torch.bool))
    first = moved[0] - moved[0].mean(0)
    axes = torch.linalg.svd(first).Vh
    axes[2] *= torch.linalg.det(axes)  # a turn, not a mirror
    return ((moved - moved[0].mean(0)) @ axes.T).view_as(coords).numpy()


def draw(file: Path, picture: Path) -> None:
    """One panel for each model and one for all together."""
    models = superposed(file)
    reach = 0.75 * np.abs(models).max()
    figure = plt.figure(figsize=(13, 3))
    panels = [(f"conformer {k + 1}", models[k : k + 1]) for k in range(len(models))] + [("superposed", models)]
    for place, (title, visible) in enumerate(panels, start=1):
        panel = figure.add_subplot(1, len(panels), place, projection="3d")
        for model in visible:
            line = smooth(model[:, 0])
            pieces = np.stack([line[:-1], line[1:]], axis=1)
            colours = plt.get_cmap("turbo")(np.linspace(0.05, 0.95, len(pieces)))
            panel.add_collection(Line3DCollection(pieces, colors=colours, linewidths=2, alpha=0.9))
            if len(visible) == 1:
                panel.add_collection(Line3DCollection(model, colors="0.6", linewidths=0.8))
        panel.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
        panel.set_title(title, fontsize=10)
        panel.set_axis_off()
        panel.view_init(elev=90, azim=-90)
    figure.tight_layout(pad=0.1)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
