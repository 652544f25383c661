"""Sources of submissions, made by code: chains as random walks, tables, runs with predictions."""

import json
from pathlib import Path

import numpy as np

from rnagen.evaluation.baselines import random_walk
from rnagen.io.files import write_text
from rnagen.io.kaggle import write_submission
from rnagen.sampling.outputs import OutputFolder
from rnagen.structure import BEADS, RNAStructure
from rnagen.submission.candidates import Candidate, Source

SEQUENCES = {"R2": "GGCCAAAGGCCAUUGC", "R1": "GGGGAAACCCCA"}


def rna(name: str, models: int, seed: int, atoms: tuple[str, ...] = ("C1'",), sequence: str = "") -> RNAStructure:
    """Random walks under the name and sequence of a target, with rounded coordinates."""
    sequence = sequence or SEQUENCES[name]
    c1 = random_walk(len(sequence), seed, models).numpy().round(3)
    coords = np.stack([c1 + 2 * np.float32(a - atoms.index("C1'")) for a in range(len(atoms))], axis=2)
    return RNAStructure(name, sequence, coords, np.ones(coords.shape[:3], dtype=bool), atoms)


def table(path: Path, seed: int, models: int = 5, names: tuple[str, ...] = tuple(SEQUENCES)) -> Path:
    """A table in the submission format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_submission(path, [rna(name, models, seed + k) for k, name in enumerate(names)], models)
    return path


def run_folder(folder: Path, seed: int, models: int = 5, tm: float = 0.3, cutoff: str = "2020-01-01") -> Path:
    """A finished sampling run; conformer k is predicted to score tm + k / 100, the first is built on a template."""
    targets = [{"name": name, "folder": name, "sequence": sequence} for name, sequence in SEQUENCES.items()]
    described = {"identity": {"format": "cif"}, "checkpoint": {"cutoff": cutoff}, "targets": targets}
    write_text(folder / "run.json", json.dumps(described))
    output = OutputFolder(folder, "cif")
    for k, name in enumerate(SEQUENCES):
        predicted = [tm + one / 100 for one in range(models)]
        summary = {
            "name": name,
            "sequence": SEQUENCES[name],
            "geometry": [{}] * models,
            "confidence": {"tm": predicted},
            "templates": [{"release_date": "2019-01-01", "predicted_tm": 0.2}],
        }
        output.write_target(rna(name, models, seed + k, BEADS), summary)
    output.write_submission(list(SEQUENCES.items()), models)
    return folder


def sequences_csv(path: Path, sequences: dict[str, str] | None = None) -> Path:
    """test_sequences.csv of the targets."""
    rows = "".join(f"{name},{sequence}\n" for name, sequence in (sequences or SEQUENCES).items())
    path.write_text(f"target_id,sequence\n{rows}")
    return path


def source(name: str, *conformers: np.ndarray) -> Source:
    """A source with candidates for the target R1 alone."""
    candidates = [Candidate(name, k, xyz) for k, xyz in enumerate(conformers, start=1)]
    return Source(name, "", candidates={"R1": candidates} if candidates else {})
