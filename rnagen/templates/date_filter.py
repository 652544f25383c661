"""Which known structures may serve a target: those released before it, and none of its own entry."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from rnagen.dates import NO_DATE
from rnagen.templates.library import Library


@dataclass(frozen=True)
class DateFilter:
    """The date filter of templates.

    A later deposition of the target's own molecule is released after the target: its date keeps it out.
    """

    before: str
    """ISO date; only chains released before it may serve. An undated chain never does."""
    entries: Collection[str] = ()
    """Database entries, in lower case, whose chains may not serve: those of the target."""

    def at(self, date: str) -> "DateFilter":
        """The filter for a target of this date (`NO_DATE` when unknown): the earlier of both."""
        return self if date == NO_DATE else replace(self, before=min(self.before, date))

    def without(self, entry: str) -> "DateFilter":
        """The filter for a target of this entry."""
        return replace(self, entries={*self.entries, entry.lower()})

    def allowed(self, library: Library) -> Bool[np.ndarray, " N"]:
        """Which chains of the library may serve. Natives of benchmarks never do: their date is the day on which the
        sequence was given out, and the structure came later."""
        dated = library.dates != NO_DATE
        own = np.array([info.entry in self.entries for info in library.infos], dtype=bool)
        native = np.array([bool(info.benchmark) for info in library.infos], dtype=bool)
        return dated & (library.dates < self.before) & ~own & ~native


ANY_DATE = DateFilter("9999-12-31")
"""Lets every dated chain serve."""
