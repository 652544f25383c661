import torch

from rnagen.geometry import random_rotations
from rnagen.metrics.aligned_tm import square_distances
from rnagen.metrics.alignment_starts import find_starts


def chain(length: int, seed: int = 0) -> torch.Tensor:
    return 4 * torch.randn(length, 3, generator=torch.Generator().manual_seed(seed)).cumsum(0)


def test_the_right_shift_comes_first() -> None:
    target = chain(60)
    target -= target.mean(0)
    rotation = random_rotations(1, torch.Generator().manual_seed(1))[0]
    mobile = target[12:52] @ rotation
    starts = find_starts(mobile, target, 2.0, shifts=3, best=8)
    assert starts.aligned[0].tolist() == list(range(12, 52))
    assert starts.aligned.shape == (3, 40)
    squares = square_distances(mobile[None], target[None], starts.motion.each(lambda part: part[:1]))
    assert squares[0].amin(1).max() < 0.01


def test_a_fragment_is_found_where_no_shift_fits() -> None:
    """Two halves that changed places and moved: fragments fit where chains without gaps do not."""
    target = chain(80)
    mobile = torch.cat([target[48:] + 60, target[:48]])
    starts = find_starts(mobile, target, 2.0, shifts=1, best=4)
    squares = square_distances(mobile.expand(4, -1, -1), target.expand(4, -1, -1), starts.motion)
    assert (squares.amin(2) < 0.1).sum(1).max() >= 48


def test_short_chains_have_starts() -> None:
    starts = find_starts(chain(3), chain(4, 1), 1.0, shifts=4, best=16)
    assert starts.aligned.amax() == 3
    assert starts.motion.rotation.isfinite().all()
