import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnagen.geometry import a_form_helix, random_rotations, superpose
from rnagen.losses import aligned_mae, distances, distogram_cross_entropy, pair_distances


def drmsd(*structures, **options):
    return pair_distances(*structures).drmsd(**options)


def smooth_lddt(*structures, **options):
    return pair_distances(*structures).smooth_lddt(**options)


DISTANCE_LOSSES = {
    "drmsd": drmsd,
    "local_drmsd": lambda *a: pair_distances(*a).local_drmsd(radius=20.0),
    "dmae": lambda *a: pair_distances(*a).dmae(),
    "clamped": lambda *a: drmsd(*a, d_clamp=10.0),
    "smooth_lddt": smooth_lddt,
    "smooth_lddt_c1": lambda *a: smooth_lddt(*a, radius=15.0, thresholds=(1.0, 2.0, 4.0, 8.0)),
}
LOSSES = {**DISTANCE_LOSSES, "aligned_mae": aligned_mae}

each_loss = pytest.mark.parametrize("name", LOSSES)
each_distance_loss = pytest.mark.parametrize("name", DISTANCE_LOSSES)


def structures(batch: int = 4, length: int = 9, dtype: torch.dtype = torch.float64):
    true = 12 * torch.randn(batch, length, 3, dtype=dtype)
    pred = true + 3 * torch.randn(batch, length, 3, dtype=dtype)
    mask = torch.rand(batch, length) > 0.3
    mask[:, :2] = True
    return pred, true, mask


def naive(name: str, pred, true, mask) -> float:
    """The table of definitions, pair by pair, of one structure."""
    eps, z, length = 1e-4, 10.0, len(mask)

    def d(x, i, j):
        return math.sqrt(sum((x[i, k] - x[j, k]).item() ** 2 + eps for k in range(3)))

    pairs = [(i, j) for i in range(length) for j in range(length) if i != j and mask[i] and mask[j]]
    values = [(d(pred, i, j), d(true, i, j)) for i, j in pairs]
    if name == "drmsd":
        terms = [math.sqrt((p - t) ** 2 + eps) / z for p, t in values]
    elif name == "local_drmsd":
        terms = [math.sqrt((p - t) ** 2 + eps) / z for p, t in values if t < 20]
    elif name == "dmae":
        terms = [abs(p - t) / z for p, t in values]
    elif name == "clamped":
        terms = [math.sqrt(min((p - t) ** 2, 100.0) + eps) / z for p, t in values]
    elif name in ("smooth_lddt", "smooth_lddt_c1"):
        radius, thresholds = (30, (0.5, 1, 2, 4)) if name == "smooth_lddt" else (15, (1, 2, 4, 8))
        terms = [
            1 - sum(1 / (1 + math.exp(-(tau - abs(p - t)))) for tau in thresholds) / 4 for p, t in values if t < radius
        ]
    elif name == "aligned_mae":
        moved = superpose(pred, true, mask)
        terms = [abs(moved[i, k] - true[i, k]).item() / z for i in range(length) if mask[i] for k in range(3)]
    return sum(terms) / len(terms) if terms else 0.0


@each_loss
def test_against_naive_loops(name):
    pred, true, mask = structures()
    result = LOSSES[name](pred, true, mask)
    expected = [naive(name, *one) for one in zip(pred, true, mask)]
    assert min(expected) > 0.01
    assert result.tolist() == pytest.approx(expected, rel=1e-10)


@each_distance_loss
def test_gradient_is_that_of_finite_differences(name):
    pred, true, mask = structures(2, 5)
    assert torch.autograd.gradcheck(lambda p: LOSSES[name](p, true, mask), (pred.requires_grad_(),))


def test_aligned_mae_gradient_leaves_the_superposition_out():
    pred, true, mask = structures(2, 6)
    pred.requires_grad_()
    aligned_mae(pred, true, mask).sum().backward()
    moved = superpose(pred.detach(), true, mask)
    sign = (moved - true).sign() * mask[..., None] / (3 * mask.sum(1)[:, None, None] * 10)
    # Turned back, the gradient of the moved coordinates has the same length, residue by residue.
    assert torch.allclose(pred.grad.norm(dim=-1), sign.norm(dim=-1))


@each_loss
def test_invariant_to_rigid_motion_of_both(name):
    pred, true, mask = structures()
    r, q = random_rotations(2).double()
    if name == "aligned_mae":
        # Mean absolute differences are measured along the axes of the true structure: it may move, but not turn.
        q = torch.eye(3, dtype=torch.float64)
    moved = LOSSES[name](pred @ r.mT + 40, true @ q.mT - 25, mask)
    assert torch.allclose(moved, LOSSES[name](pred, true, mask), atol=1e-6)


@each_distance_loss
def test_distance_losses_can_not_see_a_mirror(name):
    pred, true, mask = structures()
    mirror = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    assert torch.allclose(LOSSES[name](pred * mirror, true, mask), LOSSES[name](pred, true, mask))


def test_aligned_mae_sees_a_mirror():
    helix = a_form_helix(20)[None]
    mask = torch.ones(1, 20, dtype=torch.bool)
    assert aligned_mae(helix, helix, mask) < 1e-5
    assert aligned_mae(helix * torch.tensor([1.0, 1.0, -1.0]), helix, mask) > 0.2


@each_loss
def test_padding_changes_nothing(name):
    pred, true, mask = structures(dtype=torch.float32)
    pad = 7
    padded = [torch.nn.functional.pad(x, (0, 0, 0, pad)) for x in (pred, true)]
    padded[0][:, -pad:] = 50 * torch.randn(len(pred), pad, 3)
    result = LOSSES[name](*padded, torch.nn.functional.pad(mask, (0, pad)))
    assert torch.allclose(result, LOSSES[name](pred, true, mask), atol=1e-5, rtol=0)


@each_loss
def test_trap5_a_fully_masked_structure_is_zero_with_zero_gradient(name):
    pred, true, mask = structures(dtype=torch.float32)
    mask[1] = False
    pred.requires_grad_()
    result = LOSSES[name](pred, true, mask)
    result.sum().backward()
    assert result[1] == 0
    assert torch.equal(pred.grad[1], torch.zeros_like(pred.grad[1]))
    assert torch.isfinite(pred.grad).all()
    assert (result[[0, 2, 3]] > 0).all()


@each_loss
def test_one_residue_chain(name):
    pred = torch.randn(3, 1, 3, requires_grad=True)
    result = LOSSES[name](pred, torch.randn(3, 1, 3), torch.ones(3, 1, dtype=torch.bool))
    result.sum().backward()
    assert result.abs().max() < 1e-6
    assert torch.isfinite(pred.grad).all()
    if name != "aligned_mae":
        assert torch.equal(result, torch.zeros(3))


@each_loss
def test_gradients_are_finite_at_coinciding_points_and_at_the_truth(name):
    _, true, mask = structures(dtype=torch.float32)
    for start in (torch.zeros_like(true), true.clone()):
        pred = start.requires_grad_()
        LOSSES[name](pred, true, mask).sum().backward()
        assert torch.isfinite(pred.grad).all()


@each_loss
def test_autocast_changes_nothing(name):
    pred, true, mask = structures(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        result = LOSSES[name](pred, true, mask)
    assert result.dtype == torch.float32
    assert torch.equal(result, LOSSES[name](pred, true, mask))


@each_loss
def test_bfloat16_predictions_are_computed_in_float32(name):
    pred, true, mask = structures(dtype=torch.float32)
    result = LOSSES[name](pred.bfloat16(), true, mask)
    assert torch.equal(result, LOSSES[name](pred.bfloat16().float(), true, mask))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), length=st.integers(1, 8), share=st.floats(0, 1))
def test_any_mask_gives_finite_losses_and_gradients(seed, length, share):
    generator = torch.Generator().manual_seed(seed)
    true = 10 * torch.randn(3, length, 3, generator=generator)
    mask = torch.rand(3, length, generator=generator) < share
    for loss in LOSSES.values():
        pred = (10 * torch.randn(3, length, 3, generator=generator)).requires_grad_()
        result = loss(pred, true * mask[..., None], mask)
        result.sum().backward()
        assert torch.isfinite(result).all()
        assert torch.isfinite(pred.grad).all()
        assert torch.equal(pred.grad[~mask], torch.zeros_like(pred.grad[~mask]))


@each_loss
def test_structures_of_a_batch_do_not_touch_each_other(name):
    pred, true, mask = structures(dtype=torch.float32)
    together = LOSSES[name](pred, true, mask)
    alone = torch.stack([LOSSES[name](*one) for one in zip(pred, true, mask)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_clamp_bounds_the_loss_and_its_gradient():
    pred, true, mask = structures(dtype=torch.float32)
    pred = (pred * 100).requires_grad_()
    drmsd(pred, true, mask, d_clamp=10.0).sum().backward()
    assert drmsd(pred, true, mask, d_clamp=10.0).max() < 1.001
    assert pred.grad.abs().max() < drmsd(pred, true, mask).max()


def test_smooth_lddt_of_the_truth():
    _, true, mask = structures(dtype=torch.float32)
    assert torch.allclose(smooth_lddt(true, true, mask), torch.full((4,), 0.1959), atol=1e-4)


def test_distances_are_euclidean():
    x = 20 * torch.randn(3, 10, 3, dtype=torch.float64)
    assert torch.allclose(distances(x).square() - 3e-4, torch.cdist(x, x).square(), atol=1e-9)


# Distogram


EDGES = torch.tensor([5.0, 10.0, 20.0, 40.0])


def distogram_case(batch: int = 3, length: int = 7):
    coords = 12 * torch.randn(batch, length, 3)
    mask = torch.rand(batch, length) > 0.2
    mask[:, :2] = True
    return torch.randn(batch, length, length, len(EDGES) + 1), coords, mask


def test_distogram_against_naive_loops():
    logits, coords, mask = distogram_case()
    result = distogram_cross_entropy(logits, coords, mask, EDGES)
    for b in range(3):
        terms = []
        for i in range(7):
            for j in range(7):
                if i != j and mask[b, i] and mask[b, j]:
                    distance = (coords[b, i] - coords[b, j]).norm().item()
                    which = sum(distance > edge for edge in EDGES.tolist())
                    terms.append(-logits[b, i, j].log_softmax(-1)[which].item())
        assert result[b].item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_distogram_of_masked_and_single_residues_is_zero():
    logits, coords, mask = distogram_case()
    mask[0] = False
    mask[1, 1:] = False
    logits.requires_grad_()
    result = distogram_cross_entropy(logits, coords, mask, EDGES)
    result.sum().backward()
    assert result[:2].tolist() == [0.0, 0.0]
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[:2].abs().max() == 0


def test_distogram_casts_bfloat16_logits():
    logits, coords, mask = distogram_case()
    with torch.autocast("cpu", torch.bfloat16):
        result = distogram_cross_entropy(logits.bfloat16(), coords, mask, EDGES)
    assert torch.equal(result, distogram_cross_entropy(logits.bfloat16().float(), coords, mask, EDGES))


def test_distogram_refuses_bins_that_do_not_fit():
    logits, coords, mask = distogram_case()
    with pytest.raises(ValueError, match="4 edges make 5 bins, but logits has 4"):
        distogram_cross_entropy(logits[..., :4], coords, mask, EDGES)
