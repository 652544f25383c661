"""Several checkpoints for one ensemble, the selection among all candidates, and all atoms.

The checkpoints take turns: of c, the one at place p makes the conformers number p, p + c, p + 2c …, each as it would be
in a run with that checkpoint alone, on the template of its number too. So more can be added, as to any run.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
import torch

from rnagen.allatom import complete
from rnagen.config.sampling import SampleConfig, SamplingPlan
from rnagen.errors import ConfigError
from rnagen.io.target import Target
from rnagen.io.write import FILE_DIGITS
from rnagen.messages import number_of
from rnagen.metrics import tm_matrix
from rnagen.sampling.denoiser import Evaluated, nothing
from rnagen.sampling.ensemble import Ensemble, Models, draw_ensemble
from rnagen.sampling.selection import choose_behind


def names_of(models: Sequence[Models]) -> list[str]:
    """A name for each checkpoint: its file without the suffix, after its folder where two files have one name, and a
    number where that does not tell them apart."""
    paths = [one.structure.path for one in models]
    stems = Counter(path.stem for path in paths)
    names: list[str] = []
    for path in paths:
        name = path.stem if stems[path.stem] == 1 else f"{path.resolve().parent.name}/{path.stem}"
        names.append(name if name not in names else f"{name}-{len(names) + 1}")
    return names


def load_models(config: SampleConfig, device: str) -> list[Models]:
    """The checkpoints of a run, in their order. They share the known structures.

    Raises:
        InputError: a checkpoint, library or template cannot be used.
        ConfigError: checkpoints that cannot make one ensemble.
    """
    first, *others = config.ckpt or (None,)
    loaded = [Models.load(first, config.guide_ckpt, device)]
    loaded += [replace(Models.load(path, None, device), guide=loaded[0].guide) for path in others]
    for place, one in enumerate(loaded):
        path, atoms = one.structure.path, one.structure.config.model.atoms
        if any(one.structure.fingerprint == other.structure.fingerprint for other in loaded[:place]):
            raise ConfigError(f"ckpt: {path} is there twice")
        if atoms != loaded[0].structure.config.model.atoms:
            raise ConfigError(f"ckpt: {path} makes other atoms ({', '.join(atoms)}) than {loaded[0].structure.path}")
    if config.n < len(loaded):
        raise ConfigError(f"n: {number_of(config.n, 'conformer')} cannot be shared out over {len(loaded)} checkpoints")
    known = loaded[0].known_structures(config.known)
    return [replace(one, known=known) for one in loaded]


def draw_shared(
    models: Sequence[Models], target: Target, plan: SamplingPlan, evaluated: Evaluated = nothing
) -> Ensemble:
    """Draw n conformers of one RNA from all checkpoints, without the first `plan.first`, in the order of their numbers;
    with `plan.candidates`, draw that many and select n of them, the best guess first. With all atoms, if the plan has
    them.

    Raises:
        ConfigError, InputError, SamplingError: see `draw_ensemble`.
    """
    parts = []
    for place, (one, name) in enumerate(zip(models, names_of(models))):
        own = replace(plan, turn=(place, len(models)))
        if own.places:
            part = draw_ensemble(one, target, own, evaluated)
            parts.append(replace(part, checkpoints=[name] * len(part)))
    sampled = reduce(Ensemble.extended, parts)
    sampled = sampled.of(np.argsort(sampled.numbers).tolist())
    chosen = sampled if plan.candidates is None else selected(sampled, plan.n)
    return chosen if plan.atoms == "beads" else completed(chosen)


def completed(ensemble: Ensemble) -> Ensemble:
    """The same conformers with all heavy atoms."""
    # Built on what the files of `--atoms beads` have: rounding of the last digits then decides nothing.
    beads = replace(ensemble.structure, coords=ensemble.coords.round(FILE_DIGITS))
    return replace(ensemble, structure=complete(beads))


def selected(sampled: Ensemble, n: int) -> Ensemble:
    """n of the conformers, those on templates in any case, the best guess first; by confidence if it is known of all,
    else by clusters."""
    c1 = torch.from_numpy(sampled.coords[:, :, sampled.structure.atoms.index("C1'")])
    distances = 1 - tm_matrix(c1).numpy()
    known = None if sampled.confidence is None or not sampled.confidence.is_complete else sampled.confidence.tm
    fixed = [row for row, use in enumerate(sampled.templates) if use is not None]
    chosen = sampled.of(choose_behind(fixed, distances, n, known))
    return replace(chosen, candidates=len(sampled), selected_by="clusters" if known is None else "confidence")
