"""Conformers that start from known structures: which, in which slots, and what they become."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rnagen.config.sampling import SamplerConfig, SamplingPlan, TemplateConfig
from rnagen.config.structure import ModelConfig
from rnagen.errors import ConfigError, InputError
from rnagen.io.dot_bracket import parse_dot_bracket
from rnagen.io.kaggle import write_submission
from rnagen.io.target import Target, make_target
from rnagen.io.write import write_structure
from rnagen.metrics import tm_scores
from rnagen.preparation.synthetic import synthetic_rna
from rnagen.sampling.ensemble import Ensemble, Models, draw_ensemble
from rnagen.sampling.templates import KnownStructures, entry_of
from rnagen.secondary.vienna import mfe_dot_bracket
from rnagen.structure import BEADS, RNAStructure
from rnagen.templates.library import C1, TemplateChain, TemplateInfo
from tests.helpers.templates import written

RNA = synthetic_rna(3, 48)
QUICK = SamplerConfig(steps=4)


def synthetic_submission(name: str) -> RNAStructure:
    rna = synthetic_rna(5, 40).select_atoms(BEADS)
    return replace(rna, name=name, coords=np.repeat(rna.coords, 3, 0), mask=np.repeat(rna.mask, 3, 0))


def template_of(structure: RNAStructure, name: str, date: str) -> TemplateChain:
    table = parse_dot_bracket(mfe_dot_bracket(structure.sequence))
    return TemplateChain.of(structure, TemplateInfo(name, name.split("_")[0], date), table)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(
        tmp_path_factory.mktemp("library") / "library.safetensors",
        template_of(RNA, "1abc_A", "2001-01-01"),
        template_of(RNA, "9xyz_A", "2023-01-01"),
        template_of(synthetic_rna(8, 30), "2def_A", "2002-01-01"),
    )


@pytest.fixture(scope="module")
def shipped() -> Models:
    return Models.load(None, None, "cpu")


def with_templates(models: Models, **options: object) -> Models:
    return replace(models, known=KnownStructures(TemplateConfig(**options)))  # type: ignore[arg-type]


def target(name: str = "r", date: str = "", sequence: str = RNA.sequence) -> Target:
    return replace(make_target("test", name, sequence), release_date=date)


def tm_to_native(ensemble: Ensemble) -> list[float]:
    native = RNA.select_atoms(BEADS)
    c1 = torch.from_numpy(ensemble.coords[:, :, C1])
    return tm_scores(c1, torch.from_numpy(native.coords[:, :, C1]), torch.from_numpy(native.mask[:, :, C1]))[
        :, 0
    ].tolist()


def names(models: Models, wanted: Target) -> list[str]:
    return [use.name for use in draw_ensemble(models, wanted, SamplingPlan(2, options=QUICK)).templates if use]


def test_a_template_takes_the_first_slot_and_is_reported(shipped, library) -> None:
    models = with_templates(shipped, template_library=library, template_until=1.0)
    ensemble = draw_ensemble(models, target(), SamplingPlan(3, options=QUICK))
    use, *others = ensemble.templates
    assert not any(others)
    assert (use.source, use.name, use.release_date) == ("library", "1abc_A", "2001-01-01")
    assert (use.identity, use.coverage) == (1.0, 1.0)
    assert 0 < use.predicted_tm <= 1
    scores = tm_to_native(ensemble)
    assert scores[0] > 0.99
    assert max(scores[1:]) < 0.9


def test_a_slice_of_an_ensemble_keeps_its_templates(shipped, library) -> None:
    models = with_templates(shipped, template_library=library)
    ensemble = draw_ensemble(models, target(), SamplingPlan(3, options=QUICK))
    parts = (ensemble, ensemble[:1], ensemble[::2], ensemble[1:])
    assert [[use is not None for use in one.templates] for one in parts] == [
        [True, False, False],
        [True],
        [True, False],
        [False, False],
    ]


def test_the_other_conformers_are_those_of_a_run_without_templates(shipped, library) -> None:
    plan = SamplingPlan(3, options=QUICK, atoms="beads")
    plain = draw_ensemble(shipped, target(), plan)
    found = draw_ensemble(with_templates(shipped, template_library=library), target(), plan)
    np.testing.assert_allclose(found.coords[1:], plain.coords[1:], atol=1e-3)
    assert np.abs(found.coords[0] - plain.coords[0]).max() > 1


def test_what_a_model_reads_for_a_conformer_does_not_depend_on_how_many_are_sampled(tmp_path) -> None:
    for name, scale in (("one", 1.0), ("other", 1.1)):
        write_structure(replace(RNA, coords=RNA.coords * np.float32(scale)), tmp_path / f"{name}.cif")
    known = KnownStructures(TemplateConfig(templates=(str(tmp_path),)))
    model = ModelConfig(references=2)
    few, more = (known.of(target(), np.zeros((48, 48), np.float32), most) for most in (1, 5))
    one, other = few.slots(model, known.config)[0].references, more.slots(model, known.config)[0].references
    assert one.coords.shape == (1, 2, 48, 4, 3)
    for name in ("coords", "mask", "trust"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=0, rtol=0)


def test_without_a_useful_template_nothing_changes(shipped, library) -> None:
    wanted, plan = target(sequence="GAAAAAACAAAAAACAAAAAAAGAAAAAAAC"), SamplingPlan(2, options=QUICK, atoms="beads")
    found = draw_ensemble(with_templates(shipped, template_library=library), wanted, plan)
    assert not any(found.templates)
    np.testing.assert_array_equal(found.coords, draw_ensemble(shipped, wanted, plan).coords)


def test_the_model_repairs_a_copy_and_keeps_its_fold(shipped, library) -> None:
    models = with_templates(shipped, template_library=library, template_until=0.9)
    ensemble = draw_ensemble(models, target(), SamplingPlan(1, options=SamplerConfig(steps=20), atoms="beads"))
    assert 0.6 < tm_to_native(ensemble)[0] < 0.999


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (target(), ["1abc_A"]),
        (target(date="2022-12-31"), ["1abc_A"]),
        (target(date="2001-01-01"), []),
        (target(date="2001-01-02"), ["1abc_A"]),
        (target("1ABC"), ["9xyz_A"]),
        (target("1abc_B", "2022-12-31"), []),
        (target("1abcd"), ["1abc_A"]),
    ],
)
def test_later_structures_and_the_entry_of_the_target_never_serve(shipped, library, wanted, expected) -> None:
    assert names(with_templates(shipped, template_library=library), wanted) == expected


def test_a_later_date_lets_a_later_structure_in_but_not_past_the_date_of_the_target(shipped, library) -> None:
    models = with_templates(shipped, template_library=library, template_date="2025-01-01")
    # One of each sequence.
    assert len(names(models, target())) == 1
    assert names(models, target("1abc_A")) == ["9xyz_A"]
    assert names(models, target("1abc_A", "2022-12-31")) == []


def test_templates_are_older_than_the_rna_and_than_the_date_of_the_options(library) -> None:
    every = KnownStructures(TemplateConfig(template_library=library))
    assert every.date_filter(target()).before > "2026-01-01"
    assert every.date_filter(target(date="2024-01-01")).before == "2024-01-01"
    named = KnownStructures(TemplateConfig(template_library=library, template_date="2010-01-01"))
    dates = ("", "2024-01-01", "2000-01-01")
    assert [named.date_filter(target(date=date)).before for date in dates] == ["2010-01-01", "2010-01-01", "2000-01-01"]


def test_files_and_drafts_come_before_the_library(shipped, library, tmp_path) -> None:
    file, draft = tmp_path / "mine.cif", tmp_path / "drafts" / "r.pdb"
    draft.parent.mkdir()
    write_structure(RNA, file)
    write_structure(RNA, draft)
    options = {"templates": ("auto", str(file)), "template_library": library, "draft": draft.parent}
    ensemble = draw_ensemble(with_templates(shipped, **options), target(), SamplingPlan(4, options=QUICK))
    assert [use and use.source for use in ensemble.templates] == ["draft", "file", "library", None]
    # What the user names stands to the end; the model may move what the library has.
    assert min(tm_to_native(ensemble)[:2]) > 0.99
    without = draw_ensemble(
        with_templates(shipped, **options), target("other"), SamplingPlan(2, options=QUICK, atoms="beads")
    )
    assert [use.source for use in without.templates] == ["file", "library"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dopri5", "heun", "sde-heun"])
def test_every_solver_completes_several_fragments(shipped, tmp_path, method) -> None:
    files = []
    for name in ("one", "other"):
        write_structure(RNA, tmp_path / f"{name}.cif")
        files.append(str(tmp_path / f"{name}.cif"))
    models = with_templates(shipped, templates=tuple(files))
    options = SamplerConfig(steps=3, sampling_method=method)
    ensemble = draw_ensemble(models, target(), SamplingPlan(3, options=options))
    assert sum(use is not None for use in ensemble.templates) == 2
    assert min(tm_to_native(ensemble)[:2]) > 0.99
    assert tm_to_native(ensemble)[2] < 0.9


def test_a_file_of_another_rna_is_refused(shipped, tmp_path) -> None:
    other = synthetic_rna(5, 90)
    write_structure(other, tmp_path / "other.cif")
    models = with_templates(shipped, templates=(str(tmp_path / "other.cif"),))
    with pytest.raises(InputError, match=r"other.cif: does not fit r: .* lower --template-similarity"):
        draw_ensemble(models, target(), SamplingPlan(1, options=QUICK, atoms="beads"))


def test_with_auto_a_file_of_another_rna_is_passed_over(shipped, library, tmp_path) -> None:
    write_structure(synthetic_rna(5, 90), tmp_path / "other.cif")
    models = with_templates(shipped, templates=("auto", str(tmp_path / "other.cif")), template_library=library)
    assert names(models, target()) == ["1abc_A"]
    assert [warning.reason[:15] for warning in models.known.warnings] == ["does not fit r:"]


def test_a_file_that_fits_too_few_residues_is_refused(shipped, tmp_path) -> None:
    write_structure(RNA, tmp_path / "mine.cif")
    models = with_templates(shipped, templates=(str(tmp_path / "mine.cif"),))
    with pytest.raises(InputError, match="fits fewer than 3 residues of r"):
        draw_ensemble(models, target(sequence="GG"), SamplingPlan(1, options=QUICK, atoms="beads"))


def test_the_files_of_a_folder_are_templates_each(shipped, tmp_path) -> None:
    for name in ("b.cif", "a.pdb", "c.cif"):
        write_structure(synthetic_rna(5, 90) if name == "c.cif" else RNA, tmp_path / name)
    (tmp_path / "notes.txt").write_text("mine")
    models = with_templates(shipped, templates=(str(tmp_path),))
    assert len(names(models, target())) == 2
    assert models.known.fingerprint


def test_all_conformers_of_a_table_are_templates_in_their_order(shipped, tmp_path) -> None:
    five = replace(RNA, name="r", coords=np.repeat(RNA.coords, 3, 0), mask=np.repeat(RNA.mask, 3, 0))
    write_submission(tmp_path / "mine.csv", [five.select_atoms(BEADS), synthetic_submission("other")], 3)
    models = with_templates(shipped, templates=(str(tmp_path / "mine.csv"),))
    assert [use.name for use in draw_ensemble(models, target(), SamplingPlan(5, options=QUICK)).templates if use] == [
        *("r_1", "r_2", "r_3")
    ]


def test_drafts_of_a_folder_are_found_by_name(shipped, tmp_path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "r.fasta").write_text(">r\nGG\n")
    for name in ("r.cif", "a_b.cif"):
        write_structure(RNA, tmp_path / name)
    models = with_templates(shipped, templates=("none",), draft=tmp_path)
    found = [models.known.draft_of(target(name)) for name in ("r", "a/b", "other")]
    assert found == [tmp_path / "r.cif", tmp_path / "a_b.cif", None]
    assert models.known.fingerprint


def test_a_draft_that_is_missing_ends_the_run_at_once(tmp_path) -> None:
    with pytest.raises(InputError, match="none: no such file or folder"):
        KnownStructures(TemplateConfig(templates=("none",), draft=tmp_path / "none"))


def test_a_given_secondary_structure_replaces_the_predicted_pairs() -> None:
    from rnagen.sampling.templates import _conditioned

    pairs = np.full((4, 4), 0.5, dtype=np.float32)
    found = _conditioned(pairs, np.array([3, -1, -2, 0], dtype=np.int16))
    assert found[0, 3] == found[3, 0] == 1
    assert found[2, 2] == 0.5
    assert found[1].sum() == found[:, 1].sum() == 0


def test_entries_of_names() -> None:
    assert [entry_of(name) for name in ("7ABC_A", "7abc", "R1107", "my_rna", "12345")] == ["7abc", "7abc", "", "", ""]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"templates": ("none", "auto")}, "none excludes auto"),
        ({"templates": ()}, "choose auto, none or files"),
        ({"template_date": "2022"}, "is not a date"),
        ({"template_until": 0.0}, "template_until"),
        ({"template_slots": -1}, "template_slots"),
        ({"template_similarity": 2.0}, "template_similarity: must lie between 0 and 1"),
    ],
)
def test_options_that_cannot_be_used(options, reason) -> None:
    with pytest.raises(ConfigError, match=reason):
        TemplateConfig(**options)
