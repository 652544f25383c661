import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from rnagen.geometry import (
    a_form_helix,
    center,
    full_precision,
    kabsch,
    masked_mean,
    random_rotations,
    rotate,
    rotation_from_quaternion,
    superpose,
    top_by_squaring,
)


def all_valid(x: torch.Tensor) -> torch.Tensor:
    return torch.ones(x.shape[:-1], dtype=torch.bool)


def is_rotation(r: torch.Tensor, atol: float = 1e-5) -> bool:
    eye = torch.eye(3, dtype=r.dtype).expand(r.shape)
    orthonormal = torch.allclose(r @ r.mT, eye, atol=atol)
    return orthonormal and torch.allclose(torch.linalg.det(r), torch.ones(r.shape[:-2], dtype=r.dtype), atol=atol)


def squared_error(moved: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (moved - target).square().sum((-2, -1))


def test_masked_mean_ignores_what_is_masked_and_is_zero_where_all_is():
    values = torch.tensor([[1.0, 3.0, float("nan")], [5.0, 5.0, 5.0]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(values, mask, -1).tolist() == [2.0, 0.0]


def test_masked_mean_counts_broadcast_axes():
    values = torch.ones(2, 4, 3)
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    assert masked_mean(values, mask[..., None], (-2, -1)).tolist() == [1.0, 1.0]


def test_center():
    x = torch.randn(2, 5, 3) + 100
    mask = torch.tensor([[True] * 4 + [False], [False] * 5])
    centered = center(x, mask)
    assert centered[0, :4].mean(0).abs().max() < 1e-4
    assert torch.equal(centered[~mask], torch.zeros(6, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kabsch_undoes_a_rigid_motion_in_the_stated_convention(dtype):
    r = random_rotations(16).to(dtype)
    t = 30 * torch.randn(16, 3, dtype=dtype)
    mobile = 20 * torch.randn(16, 12, 3, dtype=dtype)
    rotation, translation = kabsch(mobile, mobile @ r.mT + t[:, None], all_valid(mobile))
    assert rotation.dtype == dtype
    assert torch.allclose(rotation, r, atol=1e-5)
    assert torch.allclose(translation, t, atol=1e-3)


def test_the_eigenvector_by_squaring_is_that_of_eigh() -> None:
    half = torch.randn(200, 4, 4, generator=torch.Generator().manual_seed(0))
    symmetric = half + half.mT
    expected = torch.linalg.eigh(symmetric).eigenvectors[..., -1]
    cosine = (top_by_squaring(symmetric) * expected).sum(-1).abs()
    torch.testing.assert_close(cosine, torch.ones(200), rtol=0, atol=1e-5)


def test_the_eigenvector_of_the_null_matrix_is_the_identity_among_quaternions() -> None:
    torch.testing.assert_close(top_by_squaring(torch.zeros(2, 4, 4)), torch.eye(4)[-1].expand(2, 4))


def test_kabsch_against_scipy():
    mobile, target = torch.randn(10, 15, 3, dtype=torch.float64), torch.randn(10, 15, 3, dtype=torch.float64)
    mask = torch.rand(10, 15) > 0.3
    rotation, _ = kabsch(mobile, target, mask)
    for k in range(10):
        a, b = (x[k, mask[k]].numpy() for x in (mobile, target))
        expected, _ = Rotation.align_vectors(b - b.mean(0), a - a.mean(0))
        np.testing.assert_allclose(rotation[k].numpy(), expected.as_matrix(), atol=1e-8)


def test_mirrored_input_gets_the_best_proper_rotation():
    """Of the singular value decomposition's eight sign choices, the best of the four with determinant +1."""
    target = torch.randn(50, 8, 3, dtype=torch.float64)
    mobile = target * torch.tensor([-1.0, 1.0, 1.0]) + 0.1 * torch.randn(50, 8, 3, dtype=torch.float64)
    mask = all_valid(target)
    assert is_rotation(kabsch(mobile, target, mask)[0])
    ours = squared_error(superpose(mobile, target, mask), target)

    a, b = center(mobile, mask), center(target, mask)
    u, _, vt = torch.linalg.svd(b.mT @ a)
    proper, reflected = [], []
    for signs in torch.cartesian_prod(*[torch.tensor([1.0, -1.0], dtype=torch.float64)] * 3):
        r = u @ torch.diag(signs) @ vt
        error, is_proper = squared_error(a @ r.mT, b), torch.linalg.det(r) > 0
        proper.append(torch.where(is_proper, error, torch.inf))
        reflected.append(torch.where(is_proper, torch.inf, error))
    assert torch.allclose(ours, torch.stack(proper).amin(0), atol=1e-8)
    assert (torch.stack(reflected).amin(0) < ours).all(), "reflections were the better answer, and are not given"


def test_superpose_is_a_local_optimum():
    mobile, target = torch.randn(4, 9, 3, dtype=torch.float64), torch.randn(4, 9, 3, dtype=torch.float64)
    moved = superpose(mobile, target, all_valid(mobile))
    best = squared_error(moved, target)
    for r in random_rotations(30, torch.Generator().manual_seed(1)).double():
        turn = torch.matrix_exp(0.05 * (r - r.mT))
        about = target.mean(1, keepdim=True)
        assert (squared_error((moved - about) @ turn.mT + about, target) > best).all()


@pytest.mark.parametrize("points", ["none", "one", "collinear", "coincident"])
def test_kabsch_of_degenerate_input_is_a_rotation(points):
    mobile, target = torch.randn(6, 7, 3), torch.randn(6, 7, 3)
    mask = all_valid(mobile)
    if points == "none":
        mask[:] = False
    elif points == "one":
        mask[:, 1:] = False
    elif points == "collinear":
        mobile = torch.linspace(0, 30, 7)[:, None] * torch.randn(6, 1, 3)
        target = mobile @ random_rotations(6).mT
    else:
        mobile = torch.ones(6, 7, 3)
    rotation, translation = kabsch(mobile, target, mask)
    assert is_rotation(rotation)
    assert torch.isfinite(translation).all()
    if points in ("none", "one"):
        assert torch.allclose(rotation, torch.eye(3).expand(6, 3, 3))
    if points == "one":
        assert torch.allclose(superpose(mobile, target, mask)[:, 0], target[:, 0], atol=1e-5)
    if points == "collinear":
        assert torch.allclose(superpose(mobile, target, mask), target, atol=1e-3)


def test_masked_points_do_not_count():
    mobile, target = torch.randn(3, 10, 3), torch.randn(3, 10, 3)
    mask = torch.rand(3, 10) > 0.4
    spoiled = torch.where(mask[..., None], mobile, torch.nan)
    for ours, expected in zip(kabsch(spoiled, target, mask), kabsch(mobile, target, mask)):
        assert torch.equal(ours, expected)


def test_a_non_finite_structure_spoils_only_itself():
    mobile, target = torch.randn(3, 10, 3), torch.randn(3, 10, 3)
    alone = superpose(mobile, target, all_valid(mobile))
    mobile[1, 4] = torch.nan
    moved = superpose(mobile, target, all_valid(mobile))
    assert torch.equal(moved[[0, 2]], alone[[0, 2]])
    assert moved[1].isnan().any()


@pytest.mark.parametrize("shape", [(9, 3), (2, 9, 3), (2, 4, 9, 3)])
def test_kabsch_takes_any_batch_shape(shape):
    x = torch.randn(shape)
    rotation, translation = kabsch(x, x, all_valid(x))
    assert rotation.shape == (*shape[:-2], 3, 3)
    assert translation.shape == (*shape[:-2], 3)


def test_superpose_passes_gradient_through_the_coordinates_alone():
    mobile = torch.randn(2, 6, 3, requires_grad=True)
    target = torch.randn(2, 6, 3, requires_grad=True)
    rotation, _ = kabsch(mobile, target, all_valid(mobile))
    assert not rotation.requires_grad
    weights = torch.randn(2, 6, 3)
    (superpose(mobile, target, all_valid(mobile)) * weights).sum().backward()
    assert torch.allclose(mobile.grad, weights @ rotation, atol=1e-6)
    assert target.grad is None


def test_geometry_keeps_its_precision_under_autocast():
    x = 100 * torch.randn(4, 20, 3)
    r = random_rotations(4)
    expected = superpose(x, rotate(x, r), all_valid(x))
    with torch.autocast("cpu", torch.bfloat16):
        moved = superpose(x, rotate(x, r), all_valid(x))
    assert torch.equal(moved, expected)
    assert superpose(x.bfloat16(), x.bfloat16(), all_valid(x)).dtype == torch.float32


def test_full_precision_casts_named_arguments_too():
    @full_precision
    def product(a, b):
        return a @ b

    a = torch.randn(3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert product(a, b=a.half()).dtype == torch.float32


def test_quaternions_follow_scipy():
    q = torch.nn.functional.normalize(torch.randn(20, 4, dtype=torch.float64), dim=-1)
    np.testing.assert_allclose(
        rotation_from_quaternion(q).numpy(), Rotation.from_quat(q.numpy()).as_matrix(), atol=1e-12
    )


def test_random_rotations_are_uniform_and_reproducible():
    n = 20_000
    r = random_rotations(n, torch.Generator().manual_seed(3))
    assert is_rotation(r)
    assert torch.equal(r, random_rotations(n, torch.Generator().manual_seed(3)))
    # Under the uniform measure every entry has mean 0 and variance 1/3, and the angle the density (1 − cos θ)/π.
    assert r.mean(0).abs().max() < 0.02
    assert (r.square().mean(0) - 1 / 3).abs().max() < 0.01
    angle = ((r.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).arccos()
    for theta in (0.5, 1.0, 2.0, 3.0):
        assert abs((angle < theta).float().mean() - (theta - math.sin(theta)) / math.pi) < 0.015


def test_a_form_helix_has_the_measured_distances():
    helix = a_form_helix(12)
    for k, expected in zip(range(1, 6), (5.5, 10.6, 15.1, 18.8, 21.6)):
        assert abs((helix[k:] - helix[:-k]).norm(dim=-1) - expected).max() < 0.1


def test_a_form_helix_is_right_handed():
    helix = a_form_helix(12)
    a, b, c = (helix[1:] - helix[:-1]).unfold(0, 3, 1).unbind(-1)
    assert (torch.linalg.cross(a, b) * c).sum(-1).min() > 0


@pytest.mark.parametrize("length", [0, 1])
def test_a_form_helix_of_next_to_nothing(length):
    assert a_form_helix(length).shape == (length, 3)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 12), share=st.floats(0, 1), scale=st.sampled_from([1e-3, 1.0, 1e3]))
def test_kabsch_never_fails(seed, n, share, scale):
    generator = torch.Generator().manual_seed(seed)
    mobile, target = scale * torch.randn(2, 5, n, 3, generator=generator)
    mask = torch.rand(5, n, generator=generator) < share
    rotation, translation = kabsch(mobile, target, mask)
    assert is_rotation(rotation)
    assert torch.isfinite(translation).all()
    moved = superpose(mobile, target, mask)
    shifted = mobile + masked_mean(target - mobile, mask[..., None], -2, keepdim=True)
    count = mask[..., None]
    assert (
        squared_error(moved * count, target * count) <= squared_error(shifted * count, target * count) * 1.0001
    ).all()
