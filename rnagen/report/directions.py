"""Which way a metric of a validation is better."""

import re
from typing import Literal

Direction = Literal["higher", "lower", "neither"]
_NEITHER = re.compile(r"one_minus_tm|slope|helix|consensus|by_length|tm_of_(mean|best)$")
"""A diversity, slopes that are to be 1, and what does not depend on the network that trains."""
_LOWER = re.compile(r"loss|mae|ece|error|flow|clash|outlier")
_HIGHER = re.compile(r"tm|lddt|pearson|spearman|rank")


def better(metric: str) -> Direction:
    """Whether more or less of a metric is better, by its name; neither where that is not known."""
    if _NEITHER.search(metric):
        return "neither"
    if _LOWER.search(metric):
        return "lower"
    return "higher" if _HIGHER.search(metric) else "neither"
