"""The score that a submission may expect, out of the predictions of its sources: there are no labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from rnagen.submission.candidates import Candidate

CAUTION = (
    "the largest prediction of each target, not a measurement: how far it lies from the true best of five has not",
    "been measured. Predictions of unlike models and of templates are not calibrated against each other; those of",
    "the shipped model were tested one by one (docs/confidence.md).",
)
"""Lines about what the expected scores are worth."""


def expected_best(candidates: Sequence[Candidate]) -> float | None:
    """The largest predicted TM-score of a target's conformers; None where none has one."""
    return max((one.predicted_tm for one in candidates if one.predicted_tm is not None), default=None)


def expected_lines(chosen: Mapping[str, Sequence[Candidate]]) -> list[str]:
    """A line for each target that has a prediction, their mean, and what it is worth; empty without predictions."""
    best = {target: expected_best(candidates) for target, candidates in chosen.items()}
    known = {target: value for target, value in best.items() if value is not None}
    if not known:
        return []
    width = max(map(len, known))
    lines = ["expected best of five (predicted TM-score):"]
    for target, value in known.items():
        slots = [one.predicted_tm for one in chosen[target]]
        slot = slots.index(value) + 1
        count = sum(one is not None for one in slots)
        lines.append(
            f"  {target:<{width}}  {value:.3f}  slot {slot}, {chosen[target][slot - 1].source}; "
            f"{count} of {len(slots)} slots predicted"
        )
    lines.append(f"  mean of {len(known)} of {len(chosen)} targets: {np.mean(list(known.values())):.3f}")
    return [*lines, *(f"  {line}" for line in CAUTION)]
