"""Scores of a run against references, for its page."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rnagen.config.evaluation import EvaluateConfig
from rnagen.evaluation.layouts import plain


@dataclass(frozen=True)
class Scores:
    """Of the RNAs that have a reference."""

    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """Which RNAs the training may have seen, and what was not scored."""

    def of(self, name: str) -> dict[str, Any] | None:
        """The scores of an RNA, whose reference may have its name as files have it; None without a reference."""
        if name in self.by_name:
            return self.by_name[name]
        return {plain(other): scores for other, scores in self.by_name.items()}.get(plain(name))


def score_run(run: Path, references: Path | None) -> Scores:
    """Scores by name, as `rnagen evaluate` has them, without baselines. Targets that the training may have seen are
    scored and marked. Nothing without references.

    Raises:
        InputError: the references cannot be used, or are of none of the RNAs.
    """
    if references is None:
        return Scores()
    # Sampling makes its page without references.
    from rnagen.evaluation.run import evaluate

    found = evaluate(EvaluateConfig(run, references, allow_leakage=True, partial=True, baselines=False, quiet=True))
    notes = [*filter(None, [found.leakage, found.left_out]), *found.notes, *map(str, found.failures)]
    scores = {}
    for score in found.scores:
        values = asdict(score)
        scores[score.target] = {key: values[key] for key in values if key not in ("agreement", "ranking", "baselines")}
    return Scores(scores, [f"against references: {note}" for note in notes])
