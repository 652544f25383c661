"""What the functions of the API may be given, and how they refuse the rest."""

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

import rnagen
from rnagen.errors import ConfigError, InputError


@pytest.fixture(autouse=True)
def unchecked() -> Iterator[None]:
    """As for users: types of arguments are checked in tests alone."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_one_value_is_a_list_of_one() -> None:
    assert rnagen.sample("GGGAAACCC", 1, steps=2, templates="none").templates == [None]
    with pytest.raises(InputError, match=r"no\.cif: no such file"):
        rnagen.sample("GGGAAACCC", 1, steps=2, templates=Path("no.cif"))
    with pytest.raises(ConfigError, match="prepare: inputs: 5 cannot be used"):
        rnagen.prepare(5)
    with pytest.raises(ConfigError, match="compare: runs: 5 cannot be used"):
        rnagen.compare(5)
    with pytest.raises(ConfigError, match="evaluate: predictions: 5 cannot be used"):
        rnagen.evaluate(5, "labels.csv")
    with pytest.raises(ConfigError, match="train: ckpt: 5 cannot be used"):
        rnagen.train(ckpt=5)
    with pytest.raises(ConfigError, match="reactivity: ckpt: 5 cannot be used"):
        rnagen.reactivity("GGGAAACCC", ckpt=5)


@pytest.mark.parametrize("given", [["GGGAAACCC"], [], {"a": "GGG"}, None, Path("x.fasta"), 5, b"GGG"])
def test_sample_takes_one_sequence(given: object) -> None:
    with pytest.raises(ConfigError, match=r"^sample: .* cannot be used \(expected one sequence; sample_targets takes"):
        rnagen.sample(given)


@pytest.mark.parametrize("given", ["my.fasta", "data/x", "tests"])
def test_a_file_name_is_not_read_as_a_sequence(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    words = f"'{given}' is the name of a file, not a sequence; sample_targets reads"
    with pytest.raises(InputError, match=words):
        rnagen.sample(given)
    (failure,) = rnagen.sample_targets([given]).failures
    assert words in str(failure)


def test_one_sequence_is_a_target_unless_a_file_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    alone = rnagen.sample("GGGAAACCC", 1, steps=2)
    np.testing.assert_array_equal(rnagen.sample_targets("GGGAAACCC", 1, steps=2)["rna"].coords, alone.coords)
    assert list(rnagen.reactivity("gggaaaccc").profiles) == ["rna"]
    assert len(rnagen.reactivity("GGGAAACCC" * 60)["rna"]) == 540
    Path("GGGAAACCC").write_text(">one\nGGGAAACCC\n>two\nGGGCUUCGGCCC\n")
    assert list(rnagen.reactivity("GGGAAACCC").profiles) == ["one", "two"]


@pytest.mark.parametrize("function", [rnagen.sample_targets, rnagen.reactivity])
@pytest.mark.parametrize("given", [5, [5], None, [None], {"a": 5}, {5: "GGG"}, [("a",)], [Path("x.fasta")], b"GGG"])
def test_what_is_no_sequence_is_refused_in_a_line(function, given: object) -> None:
    with pytest.raises(ConfigError, match=rf"^{function.__name__}: .* cannot be used \(expected a file, a sequence, "):
        function(given)


@pytest.mark.parametrize("given", ["no.fasta", "GGR", ">a\n" + "GGG" * 200])
def test_a_text_that_is_neither_a_file_nor_a_sequence_is_refused(given: str) -> None:
    with pytest.raises(InputError, match=r"no such file or folder, and not a sequence \(ACGUTN\)"):
        rnagen.sample_targets(given)


@pytest.mark.parametrize("options", [{"fasta": "x.fasta"}, {"csv": "x.csv"}, {"sequence": "GGG"}])
def test_sample_targets_names_its_first_argument(options: dict) -> None:
    with pytest.raises(ConfigError, match=r"^sample_targets: .*: the RNAs are the first argument"):
        rnagen.sample_targets(**options)


def test_texts_are_texts() -> None:
    with pytest.raises(ConfigError, match="sample: name: 5 cannot be used"):
        rnagen.sample("GGG", name=5)
    with pytest.raises(ConfigError, match="sample: structure: 5 cannot be used"):
        rnagen.sample("GGG", structure=5)
