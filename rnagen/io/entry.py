"""What the readers of mmCIF and PDB hand over: a parsed structure and the facts around it."""

from dataclasses import dataclass, field

import gemmi

from rnagen.dates import NO_DATE


@dataclass(frozen=True)
class Entry:
    """A parsed structure and the facts of its header."""

    structure: gemmi.Structure
    id: str = ""
    release_date: str = NO_DATE
    parents: dict[str, str] = field(default_factory=dict)
    """Parent component of modified ones, as the file lists them."""
    declared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Component names by author chain name, where they are not those of entities (SEQRES)."""
    refused: dict[str, str] = field(default_factory=dict)
    """Chains that are damaged, and why."""
    notes: tuple[str, ...] = ()
    are_names_remediated: bool = True
    """Whether A means RNA, and DNA is DA."""


def masked(count: int, first: str) -> tuple[str, ...]:
    """The note on atoms whose position cannot be read."""
    return (f"{count} atoms without a readable position are masked (the first: {first})",)
