"""The picture of the README: three RNAs as cartoons with bases, two of them on their experimental structures.

    python sample.py --ckpt base --templates none --out out/examples
    python sample.py --ckpt base --csv splits/val.csv --out out/base_val
    python benchmarks/picture.py --data data

Needs PyMOL on the path (open-source version, a package of Debian and of conda-forge) and matplotlib (`pip install -e
'.[dev]'`). Orange is the first conformer of an RNA, grey the experimental structure, superposed on it by C1'.
"""

import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
import tyro
from PIL import Image

from rnagen.data.dataset import Dataset
from rnagen.geometry import superpose
from rnagen.io.write import write_structure
from rnagen.metrics import tm_scores
from rnagen.report.page.conformers import c1_of, superposed_on
from rnagen.report.page.folder import RunFolder
from rnagen.structure import RNAStructure

EXAMPLE, COMPARED = ("trna_phe_76", "tRNA-Phe"), {"8f4o_B": "TPP riboswitch", "7szu_R": "Pepper aptamer"}
"""Names in the runs and for the reader."""
SIDE = 480
"""Pixels of a panel."""
HEAD = 36
"""Pixels above the panels, for titles."""
WHITE = 250
SAMPLED, NATIVE = "0xd55e00", "0x7f8c99"
LOOK = """
bg_color white
set ray_opaque_background, 1
set antialias, 2
set ray_shadows, 0
set ambient, 0.35
set orthoscopic, 1
set cartoon_ring_mode, 3
set cartoon_ring_finder, 1
set cartoon_ladder_mode, 1
set cartoon_tube_radius, 0.6
hide everything
show cartoon
"""


@dataclass
class Options:
    """Where the conformers and the experimental structures are."""

    examples: Path = Path("out/examples")
    """Run of the examples."""
    val: Path = Path("out/base_val")
    """Run of the validation chains."""
    data: Path = Path("data")
    """Prepared dataset with all atoms."""
    pymol: str = "pymol"
    """Command."""
    out: Path = Path("docs/structures.png")
    """File to write."""


def conformers_of(folder: Path, name: str) -> RNAStructure:
    """The conformers of an RNA of a run, superposed on the first, which lies along its axes."""
    run = RunFolder.open(folder)
    (entry,) = (one for one in run.finished if one["name"] == name)
    structure = run.read(entry).structure
    return replace(structure, coords=superposed_on(structure, 0))


def on_conformer(native: RNAStructure, conformer: RNAStructure) -> tuple[RNAStructure, float]:
    """An experimental structure superposed on a conformer by C1', and the TM-score of that."""
    (true, known), (c1, _) = ([torch.from_numpy(part) for part in c1_of(one)] for one in (native, conformer))
    atoms = torch.from_numpy(native.coords).flatten(1, 2)
    places = torch.cat([c1, torch.zeros_like(atoms)], 1)
    counts = torch.cat([known, torch.zeros(atoms.shape[:2], dtype=torch.bool)], 1)
    moved = superpose(torch.cat([true, atoms], 1), places, counts)[:, true.shape[1] :].view(native.coords.shape)
    coords = moved.numpy() * native.mask[..., None]
    return replace(native, coords=coords), float(tm_scores(c1, true, known))


def rendered(structures: dict[str, RNAStructure], commands: list[str], pymol: str) -> np.ndarray:
    """The image of some structures, which the commands name [side, side, 3]."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, structure in structures.items():
            write_structure(structure, folder / f"{name}.cif")
        loads = [f"load {name}.cif, {name}" for name in structures]
        ends = ["zoom all, 2, complete=1", f"ray {2 * SIDE}, {2 * SIDE}", "png panel.png"]
        (folder / "panel.pml").write_text("\n".join([*loads, LOOK, *commands, *ends]) + "\n")
        subprocess.run([pymol, "-c", "-q", "panel.pml"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with Image.open(folder / "panel.png") as image:
            return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def run(options: Options) -> None:
    """Render the panels, put them side by side."""
    name, title = EXAMPLE
    example = conformers_of(options.examples, name)
    models = {f"conformer{k}": example.models([k]) for k in range(example.num_models)}
    looks = [
        "set cartoon_nucleic_acid_mode, 4",
        "color grey70",
        "set cartoon_transparency, 0.55",
        *(f"hide cartoon, {name} and not backbone" for name in list(models)[1:]),
        "set cartoon_transparency, 0, conformer0",
        "spectrum resi, blue_cyan_green_yellow_red, conformer0",
    ]
    panels = [rendered(models, looks, options.pymol)]
    titles = [f"{title}, {len(example)} nt: {len(models)} conformers"]
    chains = Dataset.open(options.data).chains
    for name, title in COMPARED.items():
        first = conformers_of(options.val, name).models([0])
        native = chains.structure(chains.rows[name]).models([0])
        placed, tm = on_conformer(native, first)
        titles.append(f"{title}, {len(first)} nt: TM-score {tm:.2f}")
        colours = [f"color {NATIVE}, native", f"color {SAMPLED}, sampled"]
        panels.append(rendered({"native": placed, "sampled": first}, colours, options.pymol))
    row = np.concatenate(panels, axis=1)
    filled = np.flatnonzero((row < WHITE).any((1, 2)))
    row = row[filled[0] : filled[-1] + 1]
    height, width = row.shape[:2]
    figure = plt.figure(figsize=(width / 100, (height + HEAD) / 100))
    figure.figimage(row)
    for k, title in enumerate(titles):
        figure.text((k + 0.5) / len(panels), 0.99, title, fontsize=12, ha="center", va="top")
    figure.savefig(options.out, dpi=100)
    with Image.open(options.out) as image:
        image.convert("RGB").quantize(128).save(options.out, optimize=True)


if __name__ == "__main__":
    run(tyro.cli(Options, description=__doc__))
