"""YAML files of options: what is understood, and one short line for each that is not."""

from itertools import pairwise
from pathlib import Path

import pytest

from rnagen.cli.main import main
from rnagen.config.files import load_config, load_yaml
from rnagen.config.structure import TrainConfig
from rnagen.errors import ConfigError

LONGEST = 500
DEEP = 100_000


def load(folder: Path, text: str) -> TrainConfig:
    file = folder / "a.yaml"
    file.write_text(text)
    return load_config(TrainConfig(), load_yaml(file), "a.yaml")


def test_dates_and_powers_of_ten_are_understood_as_typed(tmp_path: Path) -> None:
    config = load(tmp_path, "cutoff: 2022-05-27\nlr: 1e-3\nlddt_thresholds: [1e0, 2, 4.0]\nrun_name: 1e5\n")
    assert config.dataset.cutoff == "2022-05-27"
    assert config.optim.lr == 1e-3
    assert config.loss.lddt_thresholds == (1.0, 2.0, 4.0)
    assert config.run.run_name == "1e5"


def test_a_file_may_begin_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbflr: 0.5\n")
    assert load_yaml(tmp_path / "a.yaml") == {"lr": 0.5}


BAD = {
    "no date": ("cutoff: 2022-13-45", "cutoff: '2022-13-45' is not a date"),
    "an explicit date": ("cutoff: !!timestamp 2022-13-45", "cannot be parsed as YAML"),
    "a large integer": ("seed: " + "9" * 5000, "cannot be parsed as YAML"),
    "a large integer for a float": ("lr: " + "9" * 4000, "lr: <an integer of"),
    "a large hexadecimal integer": ("lr: 0x" + "f" * 6000, "lr: <an integer of"),
    "a large integer as a name": ("0x" + "f" * 900 + ": 1", "no such option: <an integer of"),
    "deep nesting": ("lr: " + "[" * DEEP, "nested too deeply"),
    "a list": ("- lr: 1", "not a mapping of options"),
    "a text": ("lr", "not a mapping of options"),
    "a list as a name": ("? [a, b]\n: 1", "cannot be parsed as YAML: line 1"),
    "another syntax": ("lr: [1\ncrop: 2", "cannot be parsed as YAML: line 2"),
    "a control character": ("lr: \0", "cannot be parsed as YAML"),
    "a foreign object": ("lr: !!python/object:os.system {}", "cannot be parsed as YAML: line 1"),
    "long text": ("lr: " + "x" * 10_000, "lr: 'xxx"),
    "a long list": (f"lr: {list(range(10_000))}", "lr: [0, 1"),
    "long names": ("\n".join(f"{'a' * 50}{k}: 1" for k in range(1000)), "no such option: aaa"),
    "aliases of aliases": (
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 8)}]\n" for a, b in zip("abcdefghij", "bcdefghijk"))
        + "lr: *k\n",
        "cannot be parsed as YAML: line 2: aliases (*) are not read",
    ),
    # Merged keys double with every line: these would be a million.
    "merges of merges": (
        "a: &a {lr: 1}\n"
        + "".join(f"b{k}: &{b} {{<<: [*{a}, *{a}]}}\n" for k, (a, b) in enumerate(pairwise("abcdefghijklmnopqrstu"))),
        "cannot be parsed as YAML: line 2: aliases (*) are not read",
    ),
    "a megabyte of options": ("# " + "x" * 1_000_000, "has more than 1,000,000 characters"),
    "a number where a list belongs": ("pair_features: 5", "pair_features: 5 cannot be used (expected a list"),
    "not a number": ("lr: 1e-3x", "lr: '1e-3x' cannot be used"),
    "a task in a list": ("task: [structure]", "task: ['structure'] does not exist"),
    "no heads": ("mha_heads: 0", "mha_heads: 0 cannot be used"),
    "a large network": ("num_layers: 1000000000", "num_layers: 1000000000 cannot be used"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_used_is_one_short_line(tmp_path: Path, capsys, case: str) -> None:
    text, words = BAD[case]
    (tmp_path / "a.yaml").write_text(text)
    assert main(["train", "--config", str(tmp_path / "a.yaml")]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "a.yaml" in said or case == "a task in a list"
    assert said.count("\n") == 1
    assert len(said) <= LONGEST


def test_a_file_in_another_encoding_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("run_name: Ångström".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"a\.yaml: not a text in UTF-8"):
        load_yaml(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load_yaml(tmp_path)


@pytest.mark.parametrize("text", ["", "# lr: 1\n", "---\n"])
def test_a_file_of_comments_has_no_options(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    assert load_yaml(tmp_path / "a.yaml") == {}


def test_one_text_is_a_list_of_one() -> None:
    assert load_config(TrainConfig(), {"pair_features": "turner1999"}, "here").model.pair_features == ("turner1999",)
