"""Known structures in an evaluation: the answer that they give alone, and whether predictions used later ones."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.dates import NO_DATE
from rnagen.errors import InputError
from rnagen.evaluation.origins import origins_of, summaries_of
from rnagen.sampling.templates import entry_of
from rnagen.secondary.cached import base_pairs
from rnagen.structure import RNAStructure
from rnagen.templates.date_filter import DateFilter
from rnagen.templates.library import C1
from rnagen.templates.query import Query
from rnagen.templates.search import Searcher
from rnagen.templates.transfer import transfer

NUMBER = 5
"""Templates of the answer: the best of the library, whatever they look like."""


def template_answer(reference: RNAStructure, cutoff: str, searcher: Searcher) -> Float[Tensor, "n L 3"] | None:
    """C1' coordinates in Å of the best templates of a target, as they are copied.

    Args:
        reference: the target: only its name, sequence and date are used.
        cutoff: date filter where the target has a later date, or none (ISO date; empty when unknown).
        searcher: of the library.

    Returns:
        Up to five structures; None where no date is known that would keep later structures out, nothing aligns, or the
        target has several strands.
    """
    if reference.strands:
        return None
    dates = [date for date in (cutoff, reference.release_date) if date != NO_DATE]
    if not dates:
        return None
    own = {entry_of(reference.name), reference.entry.lower()} - {""}
    return answer_within(reference.sequence, DateFilter(min(dates), own), searcher)


def answer_within(
    sequence: str, dates: DateFilter, searcher: Searcher, number: int = NUMBER
) -> Float[Tensor, "n L 3"] | None:
    """As `template_answer`, of a sequence, with so many templates that a date filter lets serve."""
    query = Query.of(sequence, base_pairs(sequence).dense())
    matches = searcher.search(query, dates.allowed(searcher.library))[:number]
    copies = [transfer(match).coords[:, C1] for match in matches if match.can_be_copied]
    return torch.from_numpy(np.stack(copies)) if copies else None


def newest_templates(predictions: Path) -> dict[str, str]:
    """Release date of the newest template that a run of rnagen used, or the sources of a submission (`origins_of`), by
    target, be it of the library or of a file; targets without are left out.

    Raises:
        InputError: a summary cannot be read.
    """
    newest = dict(origins_of(predictions).newest)
    for path, summary in summaries_of(predictions):
        try:
            dates = [use["release_date"] for use in summary.get("templates", []) if use["release_date"] != NO_DATE]
        except (KeyError, TypeError) as error:
            raise InputError(path, "templates", f"not as rnagen writes them: {error!r}") from error
        if dates:
            name = str(summary.get("name", path.parent.name))
            newest[name] = max([*dates, newest.get(name, NO_DATE)])
    return newest
