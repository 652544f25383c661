"""Fixed parts, and conformers between two states."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rnagen.config.residues import residue_range
from rnagen.config.sampling import SampleConfig, SamplerConfig, SamplingPlan, TemplateConfig
from rnagen.errors import ConfigError, InputError
from rnagen.io.target import make_target
from rnagen.io.write import write_structure
from rnagen.metrics.rmsd import rmsd
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.sampling.ensemble import Ensemble, Models, draw_ensemble
from rnagen.sampling.templates import KnownStructures
from rnagen.structure import BEADS, RNAStructure
from rnagen.templates.library import C1

RNA = synthetic_rna(3, 48)
QUICK = SamplerConfig(steps=4)
PART = slice(9, 30)


@pytest.fixture(scope="module")
def shipped() -> Models:
    return Models.load(None, None, "cpu")


def drawn(models: Models, n: int, **options: object) -> Ensemble:
    config = TemplateConfig(templates=("none",), **options)  # type: ignore[arg-type]
    models = replace(models, known=KnownStructures(config))
    return draw_ensemble(models, make_target("test", "r", RNA.sequence), SamplingPlan(n, options=QUICK, atoms="beads"))


def part_of(structure: RNAStructure, where: slice) -> RNAStructure:
    index = None if structure.residue_index is None else structure.residue_index[where]
    coords, mask = structure.coords[:, where], structure.mask[:, where]
    return replace(structure, sequence=structure.sequence[where], coords=coords, mask=mask, residue_index=index)


def written(folder: Path, name: str, structure: RNAStructure) -> Path:
    write_structure(structure, folder / name)
    return folder / name


def deviation(one: np.ndarray, other: np.ndarray) -> float:
    a, b = (torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)) for x in (one, other))
    return float(rmsd(a[None], b[None], torch.ones(1, len(b), dtype=torch.bool))[0])


@pytest.mark.parametrize("whole", [True, False])
def test_a_fixed_part_stands_in_all_conformers(shipped: Models, tmp_path: Path, whole: bool) -> None:
    """Given alone, or within the whole RNA."""
    path = written(tmp_path, "part.cif", RNA if whole else part_of(RNA, PART))
    ensemble = drawn(shipped, 3, fix=("10-30", str(path)))
    native = RNA.select_atoms(BEADS).coords[0, PART].reshape(-1, 3)
    for conformer in ensemble.coords:
        assert deviation(conformer[PART].reshape(-1, 3), native) < 0.5
    assert [use.source for use in ensemble.templates] == ["fix"] * 3
    assert ensemble.templates[0].coverage == pytest.approx(21 / 48)
    # The rest is the model's own, in every conformer.
    rest = ensemble.coords[:, 30:, C1]
    assert deviation(rest[0], rest[1]) > 0.1


@pytest.mark.parametrize(
    ("residues", "reason"),
    [
        ("10-60", "up to 60, the RNA has 48"),
        (
            "11-31",
            "the same bases: .* of the residues 11 to 31 have them in .*; [ACGU]1[0-9] of the RNA is [ACGU] there",
        ),
    ],
)
def test_a_part_that_does_not_fit_is_refused(shipped: Models, tmp_path: Path, residues: str, reason: str) -> None:
    path = written(tmp_path, "part.cif", part_of(synthetic_rna(8, 48), PART))
    with pytest.raises(InputError, match=reason):
        drawn(shipped, 1, fix=(residues, str(path)))


@pytest.mark.parametrize("text", ["10", "0-5", "9-3", "a-b", "1-2-3"])
def test_a_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"fix: .* cannot be used: expected the first and the last"):
        residue_range(text)
    with pytest.raises(ConfigError, match="fix: "):
        TemplateConfig(fix=(text, "part.cif"))


@pytest.mark.parametrize("option", ["fix", "start", "end"])
def test_a_missing_file_is_refused_as_those_of_templates_are(tmp_path: Path, option: str) -> None:
    there, missing = written(tmp_path, "there.cif", RNA), tmp_path / "nothere.cif"
    states = {"start": there, "end": there}
    given = {"fix": ("10-30", str(missing))} if option == "fix" else states | {option: missing}
    with pytest.raises(InputError, match=r"nothere\.cif: no such file or folder; templates are"):
        KnownStructures(TemplateConfig(templates=("none",), **given))  # type: ignore[arg-type]


def test_a_folder_may_have_the_fixed_part(shipped: Models, tmp_path: Path) -> None:
    written(tmp_path, "part.cif", part_of(RNA, PART))
    config = TemplateConfig(templates=("none",), fix=("10-30", str(tmp_path)))
    assert len(KnownStructures(config).fingerprint) == 64
    assert [use.source for use in drawn(shipped, 1, fix=("10-30", str(tmp_path))).templates] == ["fix"]


def test_conformers_between_two_states(shipped: Models, tmp_path: Path) -> None:
    end = replace(RNA, coords=RNA.coords.copy())
    # A hinge in the middle, turned by 60 degrees.
    turn = np.array([[0.5, -0.866, 0], [0.866, 0.5, 0], [0, 0, 1]], dtype=np.float32)
    hinge = end.coords[:, 24:25, :1]
    end.coords[:, 24:] = (end.coords[:, 24:] - hinge) @ turn.T + hinge
    paths = [written(tmp_path, name, state) for name, state in (("a.cif", RNA), ("b.cif", end))]
    ensemble = drawn(shipped, 5, start=paths[0], end=paths[1])
    states = [state.select_atoms(BEADS).coords[0, :, C1] for state in (RNA, end)]
    first, last = ([deviation(one[:, C1], state) for one in ensemble.coords] for state in states)
    assert first[0] < 0.1
    assert last[-1] < 0.1
    assert (np.diff(first) > 0).all()
    assert (np.diff(last) < 0).all()
    assert [use.source for use in ensemble.templates] == ["start", "between", "between", "between", "end"]


def test_states_belong_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="belong together"):
        TemplateConfig(start=tmp_path)
    with pytest.raises(ConfigError, match="cannot be combined with"):
        TemplateConfig(start=tmp_path, end=tmp_path, draft=tmp_path)


def test_two_states_need_two_conformers(tmp_path: Path) -> None:
    states = TemplateConfig(start=tmp_path, end=tmp_path)
    with pytest.raises(ConfigError, match="needs n of at least 2, not 1"):
        SampleConfig(n=1, known=states)
    assert SampleConfig(n=2, known=states).known == states
