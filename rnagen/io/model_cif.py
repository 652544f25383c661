"""Predicted quality of models in mmCIF files, as ModelCIF has it (the extension of mmCIF for models that are computed;
Vallat et al., J. Mol. Biol. 435, 168021 (2023)); Mol* and ChimeraX colour by it."""

from collections.abc import Sequence
from dataclasses import dataclass

import gemmi
import numpy as np
from jaxtyping import Float

DICTIONARY = ("mmcif_ma.dic", "1.4.9")
"""Name and version of the dictionary that has the categories."""
METRICS = (
    ("pLDDT", "global", "pLDDT", "predicted lDDT of C1' atoms, mean over the residues, from 0 to 100"),
    ("pLDDT", "local", "pLDDT", "predicted lDDT of the C1' atom, from 0 to 100"),
    (
        "pTM",
        "global",
        "pTM",
        "predicted TM-score of C1' atoms, from 0 to 1: by its template, else by the confidence model",
    ),
)
"""Name, mode, type and description; the places are the ids, from 1."""
DIGITS = 4
UNKNOWN = -1.0
"""B factor where there is no confidence: programs do not read files without a number, and 0 would be a bad one."""


@dataclass(frozen=True)
class PredictedQuality:
    """What is predicted of M models."""

    lddt: Float[np.ndarray, "M L"]
    """C1'-lDDT of each residue in per cent; the B factors."""
    tm: Float[np.ndarray, " M"]
    """TM-score, from 0 to 1: of the template that a model is built on, or else of the confidence model."""

    def of(self, rows: Sequence[int]) -> "PredictedQuality":
        """Of some of the models, by position."""
        rows = list(rows)
        return PredictedQuality(self.lddt[rows], self.tm[rows])


def add_quality(
    block: gemmi.cif.Block, quality: PredictedQuality, residues: Sequence[tuple[str, int, str]], names: Sequence[str]
) -> None:
    """Add the models and the metrics of each.

    Args:
        block: of a file with software 1.
        quality: of its M models and L residues.
        residues: chain (label), number in it from 1 and base of each of the L.
        names: of the M models.
    """
    _add(block, "_audit_conform.", ("dict_name", "dict_version"), [DICTIONARY])
    models = [[str(k), str(k), name, "1", "Other"] for k, name in enumerate(names, 1)]
    _add(block, "_ma_data.", ("id", "name", "content_type"), [["1", "coordinates", "model coordinates"]])
    listed = ("ordinal_id", "model_id", "model_name", "data_id", "model_type")
    _add(block, "_ma_model_list.", listed, models)
    _add(block, "_ma_software_group.", ("ordinal_id", "group_id", "software_id"), [["1", "1", "1"]])
    metrics = [[str(k), name, mode, kind, text, "1"] for k, (name, mode, kind, text) in enumerate(METRICS, 1)]
    _add(block, "_ma_qa_metric.", ("id", "name", "mode", "type", "description", "software_group_id"), metrics)
    scores = [(m, metric, value) for m in range(len(names)) for metric, value in _global(quality, m)]
    rows = [[str(k), str(m + 1), metric, value] for k, (m, metric, value) in enumerate(scores, 1)]
    _add(block, "_ma_qa_metric_global.", ("ordinal_id", "model_id", "metric_id", "metric_value"), rows)
    local = [
        [str(m + 1), chain, str(number), base, "2", _text(value)]
        for m, values in enumerate(quality.lddt.tolist())
        for (chain, number, base), value in zip(residues, values)
    ]
    tags = ("model_id", "label_asym_id", "label_seq_id", "label_comp_id", "metric_id", "metric_value")
    _add(block, "_ma_qa_metric_local.", ("ordinal_id", *tags), [[str(k), *row] for k, row in enumerate(local, 1)])


def _global(quality: PredictedQuality, model: int) -> list[tuple[str, str]]:
    return [("1", _text(float(quality.lddt[model].mean()))), ("3", _text(float(quality.tm[model])))]


def _text(value: float) -> str:
    return f"{round(value, DIGITS):g}"


def _add(block: gemmi.cif.Block, category: str, tags: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    loop = block.init_loop(category, list(tags))
    for row in rows:
        loop.add_row([gemmi.cif.quote(value) for value in row])
