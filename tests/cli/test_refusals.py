"""A command line that cannot be parsed is one line: the option, what was given, what is expected."""

import sys

import pytest

from rnagen.cli.main import main
from rnagen.cli.options import typed
from rnagen.cli.refusals import groups

TRAIN = {
    "--epoch 3": "--epoch: no such option (did you mean --epochs?)",
    "--confg a.yaml": "--confg: no such option (did you mean --config?)",
    "--qqq": "--qqq: no such option (--help lists them)",
    "--epochs x": "epochs: 'x' cannot be used (expected a whole number)",
    "--epochs=1.5": "epochs: '1.5' cannot be used (expected a whole number)",
    "--lr fast": "lr: 'fast' cannot be used (expected a number)",
    "--epochs": "epochs: needs a value (expected a whole number)",
    "--epochs --lr 1": "epochs: needs a value (expected a whole number)",
    "--max-resolution None --crop x": "crop: 'x' cannot be used (expected a whole number)",
    "--lddt-thresholds 1 x": "lddt_thresholds: 'x' cannot be used (expected a number)",
    "--path-type Spiral": "path_type: 'Spiral' cannot be used (expected one of Linear, GVP, VP, Sqrt)",
    "--size huge": "size: 'huge' cannot be used (expected one of small, base)",
    "--validate True": "validate: takes no value, not 'True' (write --validate or --no-validate)",
    "--no-validate extra": "extra: belongs to no option (--help lists them)",
    "data": "data: belongs to no option (--help lists them)",
    "--lr 1 2": "2: belongs to no option (--help lists them)",
    "--mha-heads 7": "mha_heads: 7 does not divide embed_dim 160 into heads of even width "
    "(these do: 1, 2, 4, 5, 8, 10, 16, 20)",
    "--atoms P": "atoms: ('P',) must contain C1', and each atom once",
    "--seed -1": "seed: -1 cannot be used (expected from 0 to 4294967295)",
    "--accelerator tpu": "accelerator: 'tpu' cannot be used (expected one of auto, cpu, gpu, cuda, mps)",
}


@pytest.mark.parametrize("flags", TRAIN)
def test_a_training_names_the_option(flags: str, capsys) -> None:
    assert main(["train", *flags.split()]) == 2
    assert capsys.readouterr().err == f"train.py: {TRAIN[flags]}\n"


OTHERS = {
    "evaluate a": "rnagen evaluate: REFERENCES: is missing (--help explains it)",
    "evaluate": "rnagen evaluate: PREDICTIONS: is missing (--help explains it)",
    "evaluate a b c": "rnagen evaluate: c: belongs to no option (--help lists them)",
    "average a --weights x": "rnagen average: weights: 'x' cannot be used (expected a number)",
    "sample --sequense A": "sample.py: --sequense: no such option (did you mean --sequence?)",
    "smaple": "rnagen: no such verb: smaple (did you mean sample?)",
    "prepare --worker 2": "rnagen prepare: --worker: no such option (did you mean --workers?)",
}


@pytest.mark.parametrize("line", OTHERS)
def test_every_verb_names_the_option(line: str, capsys) -> None:
    assert main(line.split()) == 2
    assert capsys.readouterr().err == OTHERS[line] + "\n"


def test_a_word_that_resembles_no_verb(capsys) -> None:
    assert main(["qqq"]) == 2
    assert "no such verb: qqq (there are prepare, library, train, " in capsys.readouterr().err


def test_groups_of_a_command_line() -> None:
    flags = ["a", "--x=1", "--y", "2", "-3", "--no-z"]
    assert list(groups(flags)) == [("", ["a"]), ("--x", ["1"]), ("--y", ["2", "-3"]), ("--no-z", [])]


@pytest.mark.parametrize(
    ("called", "prog", "expected"),
    [
        ("./sample.py", "sample.py", "sample.py"),
        ("/usr/bin/rnagen", "sample.py", "rnagen sample"),
        ("/usr/bin/rnagen", "rnagen evaluate", "rnagen evaluate"),
        ("/usr/bin/rnagen", "rnagen", "rnagen"),
        ("C:/bin/rnagen.exe", "train.py", "rnagen train"),
        ("/src/rnagen/cli/main.py", "train.py", "python -m rnagen.cli.main train"),
        ("/usr/bin/pytest", "train.py", "train.py"),
    ],
)
def test_a_program_has_the_name_that_was_typed(called: str, prog: str, expected: str, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert typed(prog) == expected
