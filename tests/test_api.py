"""The Python API: examples that run, confidence, refusals, and folders that resume as those of the command line do."""

import doctest
from pathlib import Path

import numpy as np
import pytest

import rnagen
from rnagen import api
from rnagen.cli.sample import main
from rnagen.errors import ConfigError, InputError
from rnagen.io.read import read_structures
from rnagen.structure import HEAVY_ATOMS
from tests.helpers.outputs import contents

RNAS = [("one", "GGGAAACCC"), ("two", "GGGCUUCGGCCC")]
FASTA = "".join(f">{name}\n{sequence}\n" for name, sequence in RNAS)

pytestmark = pytest.mark.usefixtures("short_completion")


def test_the_examples_of_the_docstrings_run() -> None:
    result = doctest.testmod(api)
    assert result.attempted >= 5
    assert result.failed == 0


def test_every_name_of_the_package_is_there() -> None:
    for name in rnagen.__all__:
        assert getattr(rnagen, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        rnagen.nothing  # noqa: B018


@pytest.mark.slow
def test_targets_come_as_a_list_a_file_or_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "in.fasta"
    path.write_text(FASTA)
    listed = rnagen.sample_targets(RNAS, 2, steps=2, out=tmp_path / "api")
    read = rnagen.sample_targets(str(path), 2, steps=2)
    assert main(["--fasta", str(path), "--n", "2", "--steps", "2", "--out", str(tmp_path / "cli")]) == 0
    assert list(listed.ensembles) == list(read.ensembles) == ["one", "two"]
    assert not listed.failures
    for name in ("one", "two"):
        np.testing.assert_array_equal(listed[name].coords, read[name].coords)
    assert contents(tmp_path / "api") == contents(tmp_path / "cli")


def test_a_folder_is_resumed_with_its_confidence(tmp_path: Path) -> None:
    first = rnagen.sample_targets(RNAS, 1, steps=2, out=tmp_path / "out")
    again = rnagen.sample_targets(RNAS, 1, steps=2, out=tmp_path / "out")
    for name in ("one", "two"):
        # The files hold rounded numbers.
        np.testing.assert_allclose(again[name].coords, first[name].coords, atol=1e-3)
        np.testing.assert_allclose(again[name].confidence.tm, first[name].confidence.tm, atol=1e-3)
        assert again[name].numbers == first[name].numbers
    with pytest.raises(ConfigError, match="steps: 2 there, 3 now"):
        rnagen.sample_targets(RNAS, 1, steps=3, out=tmp_path / "out")


def test_what_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnagen.sampling.checks.available_memory", lambda: 10 * 2**20)
    with pytest.raises(InputError, match="1000 nt need about"):
        rnagen.sample("ACGU" * 250)


def test_sequences_may_come_by_name() -> None:
    result = rnagen.sample_targets(dict(RNAS), 1, steps=2)
    assert list(result.ensembles) == ["one", "two"]
    assert "sample_targets" in dir(rnagen)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stepz": 3}, "no such option: stepz"),
        ({"steps": "many"}, "steps: 'many' cannot be used"),
        ({"tau": None}, "tau: None cannot be used"),
        ({"n": 0}, "n: must be at least 1, not 0"),
        ({"fasta": "x.fasta"}, "fasta: the RNAs are the first argument"),
        ({"templates": 5}, r"templates: 5 cannot be used \(expected a list"),
    ],
)
def test_an_error_names_the_function_and_the_option(options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=f"^sample: {words}"):
        rnagen.sample("GGGAAACCC", **options)
    with pytest.raises(ConfigError, match=f"^sample_targets: {words}"):
        rnagen.sample_targets(RNAS, **options)


def test_plain_sequences_are_numbered() -> None:
    result = rnagen.sample_targets(["GGGAAACCC", "GG?", ("mine", "GGGAAACCC"), "GGGCUUCGGCCC"], 1, steps=2)
    assert list(result) == ["rna_1", "mine", "rna_4"]
    assert [failure.record for failure in result.failures] == ["rna_2"]
    alone = rnagen.sample("GGGAAACCC", 1, name="rna_1", steps=2)
    np.testing.assert_array_equal(result["rna_1"].coords, alone.coords)
    assert list(rnagen.reactivity(["GGGAAACCC"]).profiles) == ["rna_1"]


def test_options_are_those_of_the_command_line() -> None:
    given = {
        "tau": 0,
        "sampling_method": "sde-heun",
        "last_step": "mean",
        "steps": 2,
        "device": "auto",
        "ckpt": "base",
    }
    first, again = (rnagen.sample("GGGAAACCC", 2, **given, quiet=quiet) for quiet in (False, True))
    assert first.evaluations == 3
    np.testing.assert_array_equal(first.coords, again.coords)


def test_an_ensemble_iterates_superposes_and_is_an_array() -> None:
    ensemble = rnagen.sample("GGGCUUCGGCCC", 3, steps=2)
    assert repr(ensemble).startswith("Ensemble(rna: 3 conformers of 12 nt, predicted TM-score 0.")
    assert [one.num_models for one in ensemble] == [1, 1, 1]
    np.testing.assert_array_equal(np.stack([one.coords[0] for one in ensemble]), ensemble.to_numpy())
    np.testing.assert_array_equal(ensemble.to_numpy("C1'"), ensemble.coords[:, :, HEAVY_ATOMS.index("C1'")])
    nitrogen = np.where([base in "AG" for base in ensemble.structure.sequence], "N9", "N1").tolist()
    expected = [ensemble.coords[:, i, HEAVY_ATOMS.index(name)] for i, name in enumerate(nitrogen)]
    np.testing.assert_array_equal(ensemble.to_numpy("N"), np.stack(expected, axis=1))
    with pytest.raises(ConfigError, match="'CA' is not an atom; choose from P, OP1, OP2, O5'"):
        ensemble.to_numpy("CA")
    # They are superposed on the first; of some of them, the first is another.
    np.testing.assert_allclose(ensemble.superposed().coords, ensemble.coords, atol=1e-3)
    some = ensemble[1:]
    superposed = some.superposed()
    np.testing.assert_array_equal(superposed.coords[0], some.coords[0])

    def spread(one: rnagen.api.Ensemble) -> float:
        return float(np.square(one.to_numpy("C1'")[1:] - one.to_numpy("C1'")[:1]).sum())

    assert spread(superposed) < spread(some)
    between = [np.linalg.norm(one.coords[1, 0, 0] - one.coords[1, 5, 2]) for one in (some, superposed)]
    assert between[0] == pytest.approx(between[1], abs=1e-3)


@pytest.mark.parametrize("structure_format", ["cif", "pdb"])
def test_what_is_saved_is_what_a_run_writes(tmp_path: Path, structure_format: str) -> None:
    result = rnagen.sample_targets(RNAS, 2, steps=2, out=str(tmp_path / "out"), format=structure_format, report=False)
    assert result.save(str(tmp_path / "saved"), structure_format) == tmp_path / "saved"
    of_a_run = ("run.json", "ranking.csv", ".lock", "sampled.safetensors")
    ran = {name: text for name, text in contents(tmp_path / "out").items() if Path(name).name not in of_a_run}
    assert contents(tmp_path / "saved") == ran
    assert result["one"].save(tmp_path / "one", structure_format) == tmp_path / "one"
    assert contents(tmp_path / "one") == contents(tmp_path / "saved" / "one")
    with pytest.raises(ConfigError, match="has a run of rnagen"):
        result.save(tmp_path / "out")
    assert repr(result) == "SampledTargets(2 RNAs (one, two), 0 failed)"
    assert len(result) == 2


def test_conformers_and_rnas_are_added_to_a_folder(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    rnagen.sample_targets(RNAS[:1], 1, steps=2, out=out)
    more = rnagen.sample_targets(RNAS, 2, steps=2, out=out)
    assert [len(ensemble) for ensemble in more.values()] == [2, 2]
    assert sorted(more["one"].numbers) == [1, 2]
    assert len(rnagen.sample(RNAS[0][1], 1, name="one", steps=2, out=out)) == 2


def test_predictions_are_evaluated(tmp_path: Path) -> None:
    rnagen.sample_targets(RNAS, 2, steps=2, out=tmp_path / "out")
    result = rnagen.evaluate(tmp_path / "out", tmp_path / "out" / "submission.csv", baselines=False)
    assert [score.target for score in result.scores] == ["one", "two"]
    assert result.summary["best1"].mean == pytest.approx(1.0, abs=1e-6)
    assert repr(result) == "Evaluation(2 targets scored: best of 1 1.000, best of 5 1.000, indep. 5 1.000, lDDT 1.000)"
    assert len(result) == 2
    assert result.save(tmp_path / "scores.csv").read_text() == result.to_csv()
    with pytest.raises(InputError, match=r"scores\.txt: results are written as \.json or \.csv"):
        result.save(tmp_path / "scores.txt")


def test_a_prediction_of_reactivity_is_one_line() -> None:
    prediction = rnagen.reactivity({"hairpin": "GGGGCUUCGGCCCC", "bad": "GG?"})
    assert repr(prediction) == f"Prediction(1 RNA, 1 failed: {', '.join(prediction.experiments)})"
    assert prediction["hairpin"].shape == (14, len(prediction.experiments))


def test_a_dataset_is_prepared_and_trained_on(tmp_path: Path) -> None:
    """Structures of a run of ours become a dataset; the API trains on it as the command line does."""
    rnagen.sample_targets([("one", "GGGGAAAACCUUCGGGGAAUCCCCAAGGUUUUCC")], 1, steps=2, out=tmp_path / "out")
    made = rnagen.prepare(
        [tmp_path / "out" / "one" / "conformer_1.cif"],
        tmp_path / "data",
        assume_date="2001-01-01",
        splits=tmp_path / "splits",
        workers=1,
    )
    assert made.report.chains == 1
    assert made.splits["train"] == 1
    run = rnagen.train(
        data=tmp_path / "data",
        splits=tmp_path / "splits",
        run_dir=tmp_path / "runs",
        **{"embed_dim": 32, "pair_dim": 8, "trunk_layers": 1, "num_layers": 1, "mha_heads": 4, "accelerator": "cpu"},
        **{"crop": 24, "batch_size": 1, "copies": 2, "epochs": 1, "train_batches": 1},
    )
    assert (run / "last.safetensors").is_file()
    with pytest.raises(ConfigError, match="choose one of structure, reactivity, confidence"):
        rnagen.train("nothing")


def test_an_ensemble_has_places_and_slices() -> None:
    ensemble = rnagen.sample("GGGCUUCGGCCC", 3, candidates=5, steps=2)
    np.testing.assert_array_equal(ensemble[0].coords, ensemble.coords[:1])
    np.testing.assert_array_equal(ensemble[-1].coords, ensemble.coords[2:])
    some = ensemble[1:]
    assert some.numbers == ensemble.numbers[1:]
    assert some.checkpoints == ["informed", "informed"]
    assert some.candidates == 5
    np.testing.assert_array_equal(some.confidence.tm, ensemble.confidence.tm[1:])
    np.testing.assert_array_equal(some.coords, ensemble.coords[1:])
    assert repr(ensemble[3:]) == "Ensemble(rna: 0 conformers of 12 nt)"
    for place in (3, -4):
        with pytest.raises(IndexError, match="the ensemble has 3, from 0"):
            ensemble[place]
    with pytest.raises(ConfigError, match="keep their order"):
        ensemble[::-1]


@pytest.mark.parametrize("suffix", [".cif", ".pdb", ".cif.gz"])
def test_an_ensemble_saves_one_file(tmp_path: Path, suffix: str) -> None:
    ensemble = rnagen.sample("GGGCUUCGGCCC", 2, steps=2)
    path = ensemble.save(tmp_path / f"mine{suffix}")
    (read,) = read_structures(path)
    assert read.num_models == 2
    np.testing.assert_allclose(read.select_atoms(ensemble.structure.atoms).coords, ensemble.coords, atol=1e-3)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_other_kinds_of_files_are_refused_and_folders_may_have_dots(tmp_path: Path) -> None:
    ensemble = rnagen.sample("GGGCUUCGGCCC", 1, steps=2)
    with pytest.raises(InputError, match=r"suffix '\.csv' is not supported; write \.cif or \.pdb"):
        ensemble.save(tmp_path / "mine.csv")
    assert (ensemble.save(tmp_path / "NR_1.1") / "ensemble.cif").is_file()
    result = rnagen.sample_targets({"an.rna": "GGGCUUCGGCCC"}, 1, steps=2)
    with pytest.raises(ConfigError, match=r"mine\.cif is the name of a file"):
        result.save(tmp_path / "mine.cif")
    assert (result.save(tmp_path / "all") / "an.rna" / "ensemble.cif").is_file()
