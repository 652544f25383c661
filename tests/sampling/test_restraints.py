"""Estimates are pulled into the geometry of RNA, and no further."""

from dataclasses import replace

import pytest
import torch

from rnagen.bead_ranges import NEAREST, PAIRED
from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.features import RNAFeatures, from_residues, from_sequence
from rnagen.io.target import make_target
from rnagen.metrics.bonds import conformer_geometry
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.sampling.ensemble import Models, draw_ensemble
from rnagen.sampling.restraints import Restraints
from rnagen.structure import BEADS, RNAStructure, encode_sequence

RNA = synthetic_rna(3, 48).select_atoms(BEADS)
C1 = BEADS.index("C1'")


def features(strands: tuple[int, ...] = ()) -> RNAFeatures:
    return from_residues(encode_sequence(RNA.sequence), strands=strands)


def with_coords(coords: torch.Tensor) -> RNAStructure:
    return replace(RNA, coords=coords.numpy(), mask=RNA.mask.repeat(len(coords), 0))


def outliers(coords: torch.Tensor) -> tuple[float, int]:
    found = conformer_geometry(with_coords(coords))
    return max(one["bond_outliers"] for one in found), max(one["clashes"] for one in found)


def shaken(size: float, number: int = 3) -> torch.Tensor:
    noise = torch.randn(number, 48, 4, 3, generator=torch.Generator().manual_seed(1))
    return torch.from_numpy(RNA.coords) + size * noise


def test_bad_bonds_and_overlaps_are_mended_and_the_shape_stays() -> None:
    before = shaken(0.6)
    assert outliers(before)[0] > 0.2
    after = Restraints.of(features(), BEADS).satisfied(before)
    assert outliers(after)[0] < 0.02
    assert outliers(after)[1] <= 2
    assert (after - before).norm(dim=-1).mean() < 1.0


def test_what_is_in_range_does_not_move() -> None:
    restraints = Restraints.of(features(), BEADS)
    once = restraints.satisfied(torch.from_numpy(RNA.coords))
    for _ in range(3):
        once = restraints.satisfied(once)
    torch.testing.assert_close(restraints.satisfied(once), once, atol=0.02, rtol=0)


def test_conformers_are_independent() -> None:
    restraints, before = Restraints.of(features(), BEADS), shaken(0.6)
    together = restraints.satisfied(before)
    for k in range(3):
        torch.testing.assert_close(restraints.satisfied(before[k : k + 1])[0], together[k], atol=2e-2, rtol=0)


def test_only_free_atoms_move() -> None:
    before = shaken(0.6, 1)
    free = torch.arange(48)[None, :, None].expand(1, 48, 4) >= 20
    after = Restraints.of(features(), BEADS).satisfied(before, free)
    assert torch.equal(after[~free], before[~free])
    assert (after[free] - before[free]).abs().max() > 0.1


def test_strands_are_not_bonded_and_may_not_overlap() -> None:
    two = features((24, 24))
    coords = torch.from_numpy(RNA.coords.copy())
    coords[:, 24:] += 60
    apart = Restraints.of(two, BEADS).satisfied(coords)
    assert (apart[0, 24, C1] - apart[0, 23, C1]).norm() > 60
    joined = Restraints.of(features(), BEADS).satisfied(coords)
    assert (joined[0, 24, C1] - joined[0, 23, C1]).norm() < 30
    onto = torch.from_numpy(RNA.coords.copy())
    onto[0, 24] = onto[0, 23] + 1.0
    moved = Restraints.of(two, BEADS).satisfied(onto)
    assert torch.cdist(moved[0, 23], moved[0, 24]).min() > NEAREST - 0.3


def test_residues_that_are_to_be_paired_come_together() -> None:
    table = torch.full((1, 48), -1)
    table[0, 5], table[0, 40] = 40, 5
    coords = torch.from_numpy(RNA.coords)
    start = (coords[0, 5, C1] - coords[0, 40, C1]).norm()
    if not start < PAIRED[1] + 8:
        coords = coords * float((PAIRED[1] + 6) / start)
    after = Restraints.of(replace(features(), pair_table=table), BEADS).satisfied(coords)
    after = Restraints.of(replace(features(), pair_table=table), BEADS).satisfied(after)
    assert PAIRED[0] - 1 < (after[0, 5, C1] - after[0, 40, C1]).norm() < PAIRED[1] + 1


@pytest.mark.parametrize("atoms", [BEADS, ("C1'",), ("N", "C1'")])
def test_models_of_other_atoms_have_the_restraints_of_theirs(atoms: tuple[str, ...]) -> None:
    columns = [BEADS.index(atom) for atom in atoms]
    before = shaken(0.5)[:, :, columns]
    after = Restraints.of(features(), atoms).satisfied(before)
    assert after.shape == before.shape
    assert torch.isfinite(after).all()


def test_sampled_conformers_are_sane() -> None:
    models, sequence = (
        Models.load(None, None, "cpu"),
        "GCGGAUUUAGCUCAGUUGGGAGAGCGCCAGACUGAAGAUCUGGAGGUCCUGUGUUCGAUCCACAGAAUUCGCACCA",
    )
    found = {}
    for restraints in (False, True):
        options = SamplerConfig(steps=8, restraints=restraints)
        ensemble = draw_ensemble(
            models, make_target("test", "r", sequence), SamplingPlan(2, options=options, atoms="beads")
        )
        found[restraints] = [one["bond_outliers"] for one in conformer_geometry(ensemble.structure)]
    assert max(found[True]) < 0.01 < min(found[False])
    assert from_sequence(models.structure.config.model, sequence).mask.all()
