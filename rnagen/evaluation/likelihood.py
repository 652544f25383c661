"""Log-likelihood of conformers under the model that generates them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, Checkpoint, load_checkpoint
from rnagen.errors import InputError
from rnagen.geometry import random_rotations, rotate
from rnagen.io.files import read_json
from rnagen.model.model import Context
from rnagen.sampling.denoiser import Flow
from rnagen.sampling.outputs import RUN, SUBMISSION, OutputFolder
from rnagen.structure import RNAStructure
from rnagen.transport.interpolants import T_EPS
from rnagen.transport.likelihood import LogLikelihood

ROTATIONS = 4
"""Orientations of each conformer. With the shipped checkpoint the log-density of one orientation lies 0.03 nats per
dimension from the mean, about as far as conformers of one RNA differ."""
TOLERANCE = 1e-3
"""Of dopri5, relative and absolute; with the shipped checkpoint the log-density is off by 0.001 nats per dimension."""


def conformer_likelihoods(
    flow: Flow, context: Context, structure: RNAStructure, seed: int, rotations: int = ROTATIONS
) -> Iterator[float]:
    """Log-density of each conformer of an RNA, in nats per dimension and model units, one after the other.

    The density lives on centred coordinates, 3·L·A − 3 dimensions for A atoms in each of L residues. It is that of the
    path's marginal at t = 1 − T_EPS, a hair (Linear: 0.02 Å) from the data, where every path is regular. A model with
    self-conditioning works without its memory, because the velocity must be a function of x and t.

    The network is not equivariant, so that its density depends on the orientation. Given is the mean log-density over
    random rotations: a lower bound of the logarithm of the mean density (Jensen), which few rotations cannot estimate.
    Each has its own Hutchinson probe. Rotations and probes are a function of the seed alone, hence the same for all
    conformers of an RNA: what they do to all alike does not disturb the ranking.

    Args:
        flow: the model.
        context: of the RNA, by the same model.
        structure: the conformers, with at least the atoms of the model.
        seed: of the rotations and probes.
        rotations: their number, at least 1.

    Raises:
        InputError: a conformer lacks an atom that the model generates; the density is defined for all atoms together.
    """
    model, transport = flow.model, flow.transport
    atoms = model.config.atoms
    chosen = structure.select_atoms(atoms)
    if not chosen.mask.all():
        k, residue, atom = np.argwhere(~chosen.mask)[0]
        raise InputError(
            structure.name,
            f"conformer {k + 1}",
            f"residue {residue + 1} has no {atoms[atom]}; the likelihood needs all of {', '.join(atoms)}",
        )
    device = next(model.parameters()).device

    log_likelihood = LogLikelihood(start=T_EPS, end=1 - T_EPS, tolerance=TOLERANCE)

    def velocity(x: Float[Tensor, "n L A 3"], t: Float[Tensor, " n"]) -> Float[Tensor, "n L A 3"]:
        return transport.estimate(model(x[None], t[None], context)[0], x, t).velocity

    for coords in torch.from_numpy(chosen.coords):
        generator = torch.Generator().manual_seed(seed)
        copies = _recenter(coords.expand(rotations, *coords.shape))
        turned = rotate(copies.flatten(1, 2), random_rotations(rotations, generator)).view_as(copies)
        x1 = turned.to(device) / model.config.sigma_data
        everything = torch.ones_like(x1, dtype=torch.bool)
        dimensions = torch.full((rotations,), coords.numel() - 3)
        found = log_likelihood(velocity, x1, everything, generator, _recenter, dimensions)
        yield found.mean().item()


def _recenter(x: Float[Tensor, "n L A 3"]) -> Float[Tensor, "n L A 3"]:
    return x - x.mean(dim=(1, 2), keepdim=True)


def checkpoint_of(predictions: Path, ckpt: Path | None, device: str) -> Checkpoint:
    """The checkpoint to ask for the likelihood of a folder of predictions: `ckpt`, or the shipped one if the run.json
    of the folder names it.

    Raises:
        InputError: the predictions are a table, the checkpoint cannot be loaded, or none is named and the shipped one
            is not known to be it.
    """
    if predictions.is_file():
        raise InputError(
            predictions,
            None,
            "a submission table has C1' alone, the likelihood needs all atoms: give the folder of the sampling run",
        )
    checkpoint = load_checkpoint(ckpt or DEFAULT_CHECKPOINT, device)
    identity = _identity(predictions)
    made_by = identity.get("checkpoints_sha256", [identity.get("checkpoint_sha256")])
    if ckpt is None and made_by != [checkpoint.fingerprint]:
        raise InputError(
            predictions, None, "was not made by the shipped checkpoint alone: name the one for the likelihood (--ckpt)"
        )
    return checkpoint


def with_all_atoms(predictions: dict[str, RNAStructure], folder: Path) -> dict[str, RNAStructure]:
    """The same conformers from the structure files of a sampling run, where `predictions` are from its table.

    Raises:
        InputError: there is a table and no run.json, or a structure file cannot be read.
    """
    if not (folder / SUBMISSION).is_file():
        return predictions
    structure_format = _identity(folder).get("format")
    if structure_format is None:
        raise InputError(folder, None, f"has a {SUBMISSION}, but no {RUN} that tells the format of its structures")
    run = OutputFolder(folder, structure_format)
    # An RNA may have more conformers than all have, and the table no more than that.
    return {
        name: run.read_target(name, prediction.sequence).models(range(prediction.num_models))
        for name, prediction in predictions.items()
    }


def _identity(folder: Path) -> dict[str, Any]:
    """The identity in the run.json of a folder; empty without that file."""
    path = folder / RUN
    if not path.is_file():
        return {}
    found = read_json(path).get("identity")
    if not isinstance(found, dict):
        raise InputError(path, "identity", "missing: not the description of a run")
    return found
