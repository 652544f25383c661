"""What became of a submission."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rnagen.messages import number_of
from rnagen.submission.candidates import Candidate
from rnagen.submission.expected import expected_best, expected_lines
from rnagen.submission.problems import Problem, lines_of
from rnagen.submission.rows import TargetRows


@dataclass(frozen=True, repr=False)
class Submission:
    """A submission that was built or checked."""

    path: Path
    targets: list[TargetRows] = field(default_factory=list)
    """Their rows, in the order of the table; empty after a check alone."""
    slots: dict[str, list[Candidate]] = field(default_factory=dict)
    """The conformers of each target by slot, with their sources."""
    notes: list[str] = field(default_factory=list)
    """What could not be used, and what took its place."""
    problems: list[Problem] = field(default_factory=list)
    """Why nothing was written, or what is wrong with the table that was checked; empty for nothing."""

    @property
    def good(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    @property
    def expected(self) -> dict[str, float]:
        """The largest predicted TM-score of each target that has one."""
        best = {target: expected_best(own) for target, own in self.slots.items()}
        return {target: value for target, value in best.items() if value is not None}

    def __repr__(self) -> str:
        state = "no problem" if self.good else number_of(len(self.problems), "problem")
        return f"Submission({self.path.name}: {number_of(len(self.targets), 'target')}, {state})"

    def lines(self) -> Iterator[str]:
        """The table in words: sources by number of slots, expected scores; or the problems."""
        if self.problems:
            state = "not written, " if self.targets else ""
            yield f"{self.path}: {state}{number_of(len(self.problems), 'problem')}"
            yield from lines_of(self.problems)
            return
        if not self.slots:
            yield f"{self.path}: no problem"
            return
        count = Counter(one.source for own in self.slots.values() for one in own)
        residues = sum(map(len, self.targets))
        size = f"{number_of(len(self.targets), 'target')}, {number_of(residues, 'residue')}"
        yield f"{self.path}: {size}, five conformers each"
        yield "slots: " + ", ".join(f"{number} of {name}" for name, number in count.items())
        yield from expected_lines(self.slots)
