"""What a run of `rnagen prepare` did: for the user, and as tables beside the dataset."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnagen.io.files import write_text

NOTES = 8
"""Notes that are printed; all are in the state of the run."""


@dataclass(frozen=True)
class Skip:
    """A file, or one chain of it, that is not in the dataset."""

    file: str
    chain: str
    reason: str


@dataclass
class PrepareReport:
    """What a run of `prepare` did."""

    chains: int = 0
    full_atom: int = 0
    files: int = 0
    """Structure files and tables of the inputs."""
    metadata: list[str] = field(default_factory=list)
    """Metadata tables that were used."""
    skipped: list[Skip] = field(default_factory=list)
    duplicates: list[Skip] = field(default_factory=list)
    """Chains that came twice; `reason` names the copy that was used."""
    renamed: list[Skip] = field(default_factory=list)
    """Chains whose id another RNA of the inputs has too; `reason` is the id that they have in the dataset."""
    notes: list[str] = field(default_factory=list)
    """What was read otherwise than it stands in a file."""
    others: str = ""
    """A count of the files that were left out, being neither structures nor tables."""
    fingerprint: str = ""
    up_to_date: bool = False
    """Nothing had changed since the last run, and nothing was done."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PrepareReport":
        """The report of a former run, from its `dataclasses.asdict`."""
        skips = {name: [Skip(**skip) for skip in values[name]] for name in ("skipped", "duplicates", "renamed")}
        return cls(**values | skips)

    def write_tables(self, out: Path) -> None:
        """Write skipped.csv, duplicates.csv and renamed.csv."""
        tables = (("skipped", "reason", self.skipped), ("duplicates", "used", self.duplicates))
        for name, last, skips in (*tables, ("renamed", "id", self.renamed)):
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(["file", "chain", last])
            writer.writerows((skip.file, skip.chain, skip.reason) for skip in skips)
            write_text(out / f"{name}.csv", text.getvalue())

    def lines(self, out: Path) -> list[str]:
        """What was done, for the user: one line for the dataset and one for each of the most common reasons to skip."""
        state = "nothing changed, nothing done: " if self.up_to_date else ""
        found = [
            f"{out}: {state}{self.chains} chains ({self.full_atom} with all atoms, "
            f"{self.chains - self.full_atom} with C1' only) of {self.files} files; "
            f"{len(self.duplicates)} duplicates left out; fingerprint {self.fingerprint[:12]}",
            f"metadata: {', '.join(self.metadata) or 'none (dates as in the files)'}",
        ]
        if self.others:
            found.append(self.others)
        found += [f"note: {note}" for note in self.notes[:NOTES]]
        if len(self.notes) > NOTES:
            found.append(f"note: {len(self.notes) - NOTES} more files with atoms that were masked")
        if self.renamed:
            one = self.renamed[0]
            found.append(
                f"{len(self.renamed)} chains renamed, because another RNA has their id, listed in "
                f"{out / 'renamed.csv'} (for example {one.chain} of {one.file} is {one.reason})"
            )
        if self.skipped:
            found.append(f"{len(self.skipped)} skipped, listed in {out / 'skipped.csv'}:")
        return found + by_reason(self.skipped)


def by_reason(skips: Sequence[Skip]) -> list[str]:
    """A line for each of the most common reasons, with their number and an example."""
    example = {skip.reason: f"{skip.file} {skip.chain}".strip() for skip in reversed(skips)}
    counts = Counter(skip.reason for skip in skips).most_common(12)
    return [f"  {count:5d}  {reason} (for example {example[reason]})" for reason, count in counts]
