"""Dates that decide what may train and be scored: one spelling, YYYY-MM-DD, in which text sorts as time does."""

import datetime
import re

NO_DATE = ""
"""Stands for an unknown date."""

_MISSING = {"", "nan", "nat", "none", "null", "na", "n/a", "?", ".", "-"}
"""What tables and structure files write where they have no date; compared in lower case."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def parse_date(text: str) -> str:
    """The date YYYY-MM-DD of a text that holds it, perhaps with a time of day after it.

    Other spellings are refused, also those of ISO 8601 (20220527, 2022-W21-5): they would sort wrongly.

    Raises:
        ValueError: the text is another spelling, or the day does not exist.

    >>> parse_date("2022-05-27 00:00:00")
    '2022-05-27'
    """
    text = text.strip()
    with_time = _TIME.fullmatch(text)
    date = with_time[1] if with_time else text
    try:
        if _DATE.fullmatch(date):
            return datetime.date.fromisoformat(date).isoformat()
    except ValueError:
        pass
    raise ValueError(f"{text[:40]!r} is not a date (expected YYYY-MM-DD)")


def is_date(text: str) -> bool:
    """Whether a text is a date, written as YYYY-MM-DD and nothing else."""
    try:
        return parse_date(text) == text
    except ValueError:
        return False


def parse_optional_date(text: str) -> str:
    """The date of a cell of a table or file; `NO_DATE` where the cell marks it as unknown (empty, nan, ?, …).

    Raises:
        ValueError: as `parse_date`.
    """
    return NO_DATE if text.strip().lower() in _MISSING else parse_date(text)
