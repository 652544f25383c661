import pytest
import torch

from rnagen.geometry import a_form_helix, random_rotations
from rnagen.metrics import c1_lddt, rmsd, rmsd_matrix


def everywhere(*shape: int) -> torch.Tensor:
    return torch.ones(*shape, dtype=torch.bool)


def test_rmsd_of_a_moved_copy_is_zero() -> None:
    x = 10 * torch.randn(20, 3)
    moved = x @ random_rotations(1)[0].T + 30
    assert rmsd(moved, x, everywhere(20)) == pytest.approx(0, abs=1e-3)


def test_rmsd_by_hand() -> None:
    # Points on a line at ±1 and ±2 superpose on their centre: each is 1 Å off.
    a = torch.tensor([[-1.0, 0, 0], [1, 0, 0]])
    assert rmsd(a, 2 * a, everywhere(2)) == pytest.approx(1, abs=1e-5)


def test_rmsd_ignores_masked_points() -> None:
    x = torch.randn(10, 3)
    y = x.clone()
    y[5] = 1e4
    mask = everywhere(10)
    mask[5] = False
    assert rmsd(x, y, mask) == pytest.approx(0, abs=1e-3)


def test_rmsd_matrix_is_pairwise() -> None:
    a, b = torch.randn(3, 10, 3), torch.randn(2, 10, 3)
    masks = torch.rand(2, 10) > 0.3
    found = rmsd_matrix(a, b, masks)
    for i in range(3):
        for j in range(2):
            assert found[i, j] == pytest.approx(float(rmsd(a[i], b[j], masks[j])), abs=1e-5)


def test_lddt_of_a_copy_is_one_and_of_a_mirror_image_too() -> None:
    x = a_form_helix(20)
    for pred in (x, -x + 5):
        found = c1_lddt(pred, x, everywhere(20))
        assert found.mean == pytest.approx(1)
        assert found.scored.all()


def test_lddt_by_hand() -> None:
    # Three points on a line: distances 5, 5, 10. The last point moves by 3 Å: it stays within 4 Å only.
    ref = torch.tensor([[0.0, 0, 0], [5, 0, 0], [10, 0, 0]])
    pred = ref.clone()
    pred[2, 0] = 13
    found = c1_lddt(pred, ref, everywhere(3))
    assert found.per_residue.tolist() == pytest.approx([(1 + 0.25) / 2, (1 + 0.25) / 2, 0.25])
    assert found.mean == pytest.approx((0.625 + 0.625 + 0.25) / 3)


def test_lddt_looks_within_15_angstrom_of_the_reference() -> None:
    ref = torch.tensor([[0.0, 0, 0], [14.9, 0, 0], [100, 0, 0]])
    found = c1_lddt(torch.zeros(3, 3), ref, everywhere(3))
    assert found.scored.tolist() == [True, True, False]


def test_lddt_leaves_masked_residues_out() -> None:
    ref = a_form_helix(12)
    pred = ref.clone()
    pred[4] = 1000
    mask = everywhere(12)
    mask[4] = False
    found = c1_lddt(pred, ref, mask)
    assert found.mean == pytest.approx(1)
    assert not found.scored[4]


def test_lddt_of_nothing_is_zero() -> None:
    for mask in (torch.zeros(5, dtype=torch.bool), torch.arange(5) == 2):
        found = c1_lddt(torch.randn(5, 3), torch.randn(5, 3), mask)
        assert found.mean == 0
        assert not found.scored.any()


def test_lddt_is_batched() -> None:
    ref = torch.randn(2, 4, 9, 3) * 6
    pred = ref + torch.randn(2, 4, 9, 3)
    mask = torch.rand(2, 4, 9) > 0.2
    found = c1_lddt(pred, ref, mask)
    assert found.mean[1, 2] == pytest.approx(float(c1_lddt(pred[1, 2], ref[1, 2], mask[1, 2]).mean), abs=1e-6)
