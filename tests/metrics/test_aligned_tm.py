import pytest
import torch

from rnagen.geometry import random_rotations
from rnagen.metrics.aligned_tm import Scale, fit_aligned, square_distances
from rnagen.metrics.tm import tm_d0, tm_score


def chain(length: int, seed: int = 0, n: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.randn(n, length, 3, generator=generator).cumsum(1)


def test_a_moved_copy_under_a_shifted_alignment() -> None:
    """Residue i of the first chain is residue i + 5 of the second; the motion is that of the points themselves."""
    target = chain(40, n=2)
    rotation = random_rotations(2, torch.Generator().manual_seed(1))
    mobile = (target[:, 5:] - 20) @ rotation
    aligned = (torch.arange(35) + 5).expand(2, -1)
    fit = fit_aligned(mobile, target, aligned, Scale(3.0), seeds=4)
    assert fit.total.tolist() == pytest.approx([35, 35], abs=1e-3)
    torch.testing.assert_close(fit.motion.rotation.float(), rotation, atol=1e-4, rtol=0)
    torch.testing.assert_close(fit.motion.translation.float(), torch.full((2, 3), 20.0), atol=1e-3, rtol=0)
    squares = square_distances(mobile, target, fit.motion)
    assert squares.gather(2, aligned[..., None]).max() < 0.01


def test_unaligned_residues_count_nothing() -> None:
    target = chain(30)
    mobile = target.clone()
    mobile[0, 10:20] += 500
    aligned = torch.arange(30)[None].clone()
    aligned[0, 10:20] = -1
    assert fit_aligned(mobile, target, aligned, Scale(3.0), seeds=4).total.item() == pytest.approx(20, abs=1e-3)
    assert fit_aligned(mobile, target, torch.full((1, 30), -1), Scale(3.0), seeds=4).total.item() == 0


def test_pairs_out_of_reach_count_nothing() -> None:
    target = chain(30)
    mobile = target.clone()
    mobile[0, 25:] += 12
    aligned = torch.arange(30)[None]
    wide = fit_aligned(mobile, target, aligned, Scale(8.0), seeds=8).total.item()
    narrow = fit_aligned(mobile, target, aligned, Scale(8.0, reach=6.0), seeds=8).total.item()
    assert narrow <= wide
    assert 25 - 1e-3 < narrow < 26 < wide + 1


def test_never_above_the_refined_search() -> None:
    mobile, target = chain(50, 1), chain(50, 2)
    found = fit_aligned(mobile, target, torch.arange(50)[None], Scale(tm_d0(50)), seeds=64).total.item() / 50
    best = float(tm_score(mobile[0], target[0], torch.ones(50, dtype=torch.bool)))
    assert best - 0.02 < found <= best + 1e-4
