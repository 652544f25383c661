"""What is wrong with a submission, by name, and the lines that list it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnagen.messages import one_line

MOST = 20
"""Lines of each kind of problem; the others are counted."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a submission."""

    kind: str
    """A word or two, the same for all problems of a kind."""
    reason: str
    remedy: str
    target: str = ""
    """Empty where the whole table is meant."""
    residue: str = ""
    """Its number as the table has it; empty where the whole target or conformer is meant."""
    slot: int | None = None
    """From 1; None where no conformer is meant."""

    def __str__(self) -> str:
        """One line: target, residue, slot, reason, remedy."""
        place = [self.target, f"residue {self.residue}" if self.residue else ""]
        place.append("" if self.slot is None else f"slot {self.slot}")
        where = ", ".join(one_line(part, 60) for part in place if part)
        return f"{where + ': ' if where else ''}{one_line(self.reason)} ({self.remedy})"


def lines_of(problems: Sequence[Problem], most: int = MOST) -> Iterator[str]:
    """The problems by kind, in the order in which the kinds come first: a heading with their number, at most so many
    lines, and how many more there are."""
    for kind in dict.fromkeys(problem.kind for problem in problems):
        same = [problem for problem in problems if problem.kind == kind]
        yield f"{kind}: {len(same)}"
        yield from (f"  {problem}" for problem in same[:most])
        if len(same) > most:
            yield f"  … and {len(same) - most} more"
