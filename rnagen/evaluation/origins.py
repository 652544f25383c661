"""Where the conformers of a submission come from, as `rnagen submit` records it in submission.json beside the table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnagen.dates import NO_DATE, parse_optional_date
from rnagen.errors import InputError
from rnagen.io.files import hash_files, read_json
from rnagen.io.formats import is_structure_file

RUN = "run.json"
SUBMISSION = "submission.csv"
SUMMARY = "summary.json"
HASH = "submission_sha256"


@dataclass(frozen=True)
class Origins:
    """The sources of a submission."""

    sources: dict[str, list[str]] = field(default_factory=dict)
    """By target: the name of the source of each slot."""
    cutoff: str = ""
    """The latest training cutoff of the sources (ISO date); empty where that of one is not known."""
    newest: dict[str, str] = field(default_factory=dict)
    """By target: release date of the newest template that a slot is built on; targets without are left out."""
    note: str = ""
    """Why the record is not used; empty where it is, and where there is none."""

    def source(self, target: str, slot: int) -> str:
        """Name of the source of a slot, from 1; empty where it is not recorded."""
        slots = self.sources.get(target, [])
        return slots[slot - 1] if slot <= len(slots) else ""


def run_of(predictions: Path) -> Path | None:
    """The folder of the run that made predictions: they are that folder, or the table that the run wrote into it; None
    for all else, as a foreign table that was put there."""
    folder = predictions if predictions.is_dir() else predictions.parent
    is_own = predictions.is_dir() or predictions.name == SUBMISSION
    return folder if is_own and (folder / RUN).is_file() else None


def summaries_of(predictions: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """File and content of each summary of the run that made predictions (`run_of`); none without a run.

    Raises:
        InputError: a summary cannot be read.
    """
    folder = run_of(predictions)
    for path in sorted(folder.glob(f"*/{SUMMARY}")) if folder else ():
        # A target, and with it its folder, may have that very name.
        if path.is_file():
            yield path, read_json(path)


def record_beside(submission: Path) -> Path:
    """The record of a submission: submission.csv or submission.csv.gz -> submission.json."""
    name = submission.name.removesuffix(".gz").removesuffix(".csv")
    return submission.with_name(f"{name}.json")


def origins_of(predictions: Path) -> Origins:
    """The record of a submission table, or of the folder that has one; empty where there is none, or that of another
    table, be it of `rnagen submit` or a run (`run_of`).

    Raises:
        InputError: the record is damaged.
    """
    table = predictions / SUBMISSION if predictions.is_dir() else predictions
    path = record_beside(table)
    if not table.is_file() or is_structure_file(table):
        return Origins()
    if run_of(table) is None and (table.parent / RUN).is_file():
        return Origins(note=f"{RUN} beside it belongs to another table than {table.name}: not used")
    if not path.is_file() or path == table:
        return Origins()
    found = read_json(path)
    if HASH not in found:
        return Origins()
    if found[HASH] != hash_files([table]):
        return Origins(note=f"{path.name} belongs to another table than {table.name}: not used")
    try:
        return _origins(found)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(path, None, f"not as rnagen submit writes it: {error!r}") from error


def _origins(found: Mapping[str, Any]) -> Origins:
    used = {slot["source"] for target in found["targets"] for slot in target["slots"]}
    cutoffs = [parse_optional_date(one["cutoff"] or NO_DATE) for one in found["sources"] if one["name"] in used]
    newest = {}
    for target in found["targets"]:
        dates = [parse_optional_date(slot["template_date"] or NO_DATE) for slot in target["slots"]]
        if any(dates):
            newest[str(target["target"])] = max(dates)
    return Origins(
        sources={str(one["target"]): [str(slot["source"]) for slot in one["slots"]] for one in found["targets"]},
        cutoff=max(cutoffs) if cutoffs and all(cutoffs) else "",
        newest=newest,
    )
