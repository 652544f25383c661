"""Structure losses of predicted and true coordinates in Å, one number per structure.

Every loss takes `pred` and `true` [*batch, L, 3] and `mask` [*batch, L], and returns [*batch]; several atoms per
residue are flattened into L by the caller. A structure without a valid pair (or atom) gives exactly 0 and a zero
gradient. All arithmetic is float32 or better, also under autocast.

The distance losses share one pair of distance matrices::

    pairs = pair_distances(pred, true, mask)
    loss = pairs.smooth_lddt() + 0.5 * pairs.drmsd(d_clamp=10.0)

They cannot tell a structure from its mirror image: `aligned_mae` (or the flow loss) can, and one of them is always on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from rnagen.geometry import full_precision, masked_mean, superpose

EPSILON = 1e-4
"""Å², added to each squared coordinate difference and to squared errors, so that square roots have gradients at 0."""
SCALE = 10.0
"""Å, the Z by which the losses in Å are divided."""
LDDT_THRESHOLDS = (0.5, 1.0, 2.0, 4.0)
"""Å. For C1' alone 1, 2, 4, 8 is the other usual choice."""


@full_precision
def distances(x: Float[Tensor, "*batch L 3"]) -> Float[Tensor, "*batch L L"]:
    """D_ij = √(Σ_k ((x_ik − x_jk)² + ε)) in Å: √(3ε) = 0.017 Å at coinciding points, with a finite gradient there."""
    dx, dy, dz = (c[..., :, None] - c[..., None, :] for c in x.unbind(-1))
    return (dx.square() + dy.square() + dz.square() + 3 * EPSILON).sqrt()


def valid_pairs(mask: Bool[Tensor, "*batch L"]) -> Bool[Tensor, "*batch L L"]:
    """Pairs of two different atoms, both resolved."""
    other = ~torch.eye(mask.shape[-1], dtype=torch.bool, device=mask.device)
    return mask[..., :, None] & mask[..., None, :] & other


@dataclass(frozen=True)
class PairDistances:
    """Distance matrices of predictions and truths in Å (float32 or better), and the weight of each pair."""

    pred: Float[Tensor, "*batch L L"]
    true: Float[Tensor, "*batch L L"]
    weight: Float[Tensor, "*batch L L"]
    """1 for pairs that count, else 0. A product with it costs a fifth of `torch.where` on a CPU."""

    def _mean(self, values: Float[Tensor, "*batch L L"], below: float | None = None) -> Float[Tensor, "*batch"]:
        """Mean over the valid pairs of each structure, or over those of them with a true distance under `below`."""
        weight = self.weight if below is None else self.weight * (self.true < below)
        return (values * weight).sum((-2, -1)) / weight.sum((-2, -1)).clamp(min=1)

    def drmsd(self, *, d_clamp: float | None = None) -> Float[Tensor, "*batch"]:
        """Mean over pairs of √((D̂ − D)² + ε) / Z.

        With `d_clamp` (Å) the square is clipped to d_clamp² first: the clamped distance loss. Despite its name, which
        is that of the RibonanzaNet fine-tuning recipe, this is a mean absolute difference.
        """
        square = (self.pred - self.true).square()
        if d_clamp is not None:
            square = square.clamp(max=d_clamp**2)
        return self._mean((square + EPSILON).sqrt()) / SCALE

    def local_drmsd(self, *, radius: float = 30.0) -> Float[Tensor, "*batch"]:
        """`drmsd` over the pairs with a true distance under `radius` (Å)."""
        square = (self.pred - self.true).square()
        return self._mean((square + EPSILON).sqrt(), below=radius) / SCALE

    def dmae(self) -> Float[Tensor, "*batch"]:
        """Mean over pairs of |D̂ − D| / Z."""
        return self._mean((self.pred - self.true).abs()) / SCALE

    def smooth_lddt(
        self, *, radius: float = 30.0, thresholds: Sequence[float] = LDDT_THRESHOLDS
    ) -> Float[Tensor, "*batch"]:
        """1 − mean over pairs with a true distance under `radius` (Å) of the mean over τ of sigmoid(τ − |D̂ − D|).

        The differentiable lDDT of AlphaFold 3 (Abramson et al. 2024, supplementary algorithm 27). In [0, 1), but not 0
        for a perfect prediction: 0.20 with the default thresholds.
        """
        error = (self.pred - self.true).abs()
        # sigmoid(e − τ) = 1 − sigmoid(τ − e): the mean of the missed part, which is 0 where no pair counts.
        missed = torch.zeros_like(error)
        for threshold in thresholds:
            missed = missed + (error - threshold).sigmoid()
        return self._mean(missed, below=radius) / len(thresholds)


@full_precision
def pair_distances(
    pred: Float[Tensor, "*batch L 3"], true: Float[Tensor, "*batch L 3"], mask: Bool[Tensor, "*batch L"]
) -> PairDistances:
    """The distances that all distance losses of one prediction share: prediction and truth in Å, and resolved atoms."""
    pred_distances = distances(pred)
    return PairDistances(pred_distances, distances(true), valid_pairs(mask).to(pred_distances.dtype))


@full_precision
def aligned_mae(
    pred: Float[Tensor, "*batch L 3"], true: Float[Tensor, "*batch L 3"], mask: Bool[Tensor, "*batch L"]
) -> Float[Tensor, "*batch"]:
    """Mean over atoms and axes of |x̂ − x| / Z after superposing `pred` on `true` by a proper rotation.

    No gradient flows through the superposition. This loss sees mirror images.
    """
    difference = (superpose(pred, true, mask) - true).abs()
    return masked_mean(difference, mask[..., None], (-2, -1)) / SCALE


@full_precision
def distogram_cross_entropy(
    logits: Float[Tensor, "*batch L L bins"],
    coords: Float[Tensor, "*batch L 3"],
    mask: Bool[Tensor, "*batch L"],
    edges: Float[Tensor, " edges"],
) -> Float[Tensor, "*batch"]:
    """Cross-entropy in nats of predicted distance bins, mean over the valid pairs of each structure.

    Args:
        logits: unnormalised log-probabilities, one for each bin.
        coords: true coordinates, Å.
        mask: resolved atoms.
        edges: increasing inner bin edges, Å; bin 0 is below the first and the last bin above the last, so that there is
            one bin more than edges.

    Raises:
        ValueError: the numbers of bins and edges do not fit.
    """
    if logits.shape[-1] != len(edges) + 1:
        raise ValueError(f"{len(edges)} edges make {len(edges) + 1} bins, but logits has {logits.shape[-1]}")
    with torch.no_grad():
        bins = torch.bucketize(distances(coords), edges.to(coords.dtype))
    loss = functional.cross_entropy(logits.flatten(0, -2), bins.flatten(), reduction="none").view(bins.shape)
    return masked_mean(loss, valid_pairs(mask), (-2, -1))
