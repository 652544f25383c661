"""How well the conformers of a run obey the secondary structures that they were conditioned on, from its summaries."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from rnagen.errors import InputError
from rnagen.evaluation.origins import summaries_of

SHARES = ("given_present", "present_not_given")


def obedience_note(predictions: Path, targets: Collection[str]) -> list[str]:
    """A line with the mean over those targets of a run that had a secondary structure; none where no target had one.

    Raises:
        InputError: a summary cannot be read.
    """
    found: dict[str, list[float]] = {name: [] for name in SHARES}
    count = 0
    for path, summary in summaries_of(predictions):
        if "secondary_structure" not in summary or summary.get("name", path.parent.name) not in targets:
            continue
        count += 1
        for name, means in found.items():
            try:
                values = [float(one) for one in summary["secondary_structure"][name] if one is not None]
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(path, "secondary_structure", f"not as rnagen writes it: {error!r}") from error
            means += [float(np.mean(values))] if values else []
    if not found[SHARES[0]]:
        return []
    parts = [f"{np.mean(found[SHARES[0]]):.2f} of the given base pairs are present"]
    if found[SHARES[1]]:
        parts.append(f"{np.mean(found[SHARES[1]]):.2f} of the base pairs that are present were not given")
    return [f"a secondary structure was given for {count} of {len(targets)} targets: {', '.join(parts)}"]
