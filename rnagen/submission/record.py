"""submission.json: where each slot of a submission comes from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rnagen.evaluation.origins import record_beside
from rnagen.io.files import hash_files, write_text
from rnagen.submission.candidates import Candidate, Source
from rnagen.submission.expected import expected_best
from rnagen.version import __version__

DIGITS = 4
"""Of a predicted score."""


def write_record(
    submission: Path, sources: Sequence[Source], chosen: Mapping[str, Sequence[Candidate]], notes: Sequence[str]
) -> Path:
    """Write the record of a submission beside it; returns its path.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    described = {
        "submission_sha256": hash_files([submission]),
        "rnagen": __version__,
        "sources": [{"name": one.name, "place": one.place, "cutoff": one.cutoff or None} for one in sources],
        "targets": [
            {
                "target": target,
                "expected_best5": _rounded(expected_best(candidates)),
                "slots": [
                    {
                        "source": one.source,
                        "conformer": one.number,
                        "predicted_tm": _rounded(one.predicted_tm),
                        "template_date": one.template_date or None,
                    }
                    for one in candidates
                ],
            }
            for target, candidates in chosen.items()
        ],
        "notes": list(notes),
    }
    path = record_beside(submission)
    write_text(path, json.dumps(described, indent=1) + "\n")
    return path


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
