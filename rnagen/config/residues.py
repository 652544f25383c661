"""Ranges of residues in options."""

import re

from rnagen.errors import ConfigError
from rnagen.messages import quoted

_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)


def residue_range(text: str) -> slice:
    """Residues of a range such as 10-45, numbered from 1, both ends included.

    Raises:
        ConfigError: it is none.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(
            f"fix: {quoted(text)} cannot be used: expected the first and the last residue of a range, as in 10-45"
        )
    return slice(int(found[1]) - 1, int(found[2]))
