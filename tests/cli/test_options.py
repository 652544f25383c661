"""Options of a command: tiers of the help, presets, old names, the order in which values win."""

import os
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from rnagen.cli.main import VERBS, main
from rnagen.cli.options import flag_value, guarded, is_basic, parse
from rnagen.config.files import flatten
from rnagen.config.sampling import SampleConfig
from rnagen.config.structure import SIZES, TrainConfig
from rnagen.errors import ConfigError
from rnagen.tasks import TASKS

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"


def help_of(config: object, flag: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        parse(config, [flag], "train.py")
    assert stopped.value.code == 0
    return capsys.readouterr().out


def basic_options(config: object) -> set[str]:
    found: set[str] = set()
    for item in fields(config):
        value = getattr(config, item.name)
        found |= basic_options(value) if is_dataclass(value) else ({item.name} if is_basic(item) else set())
    return found


def listed(text: str) -> set[str]:
    """Names of the options that a help explains."""
    return {name.replace("-", "_") for name in re.findall(r"^  --([a-z][\w-]*)", text, re.MULTILINE)}


@pytest.mark.parametrize("task", TASKS)
def test_help_lists_the_basic_options_and_help_all_lists_all(task: str, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    config = TASKS[task]()
    everything = set(flatten(config))
    assert listed(help_of(config, "--help", capsys)) == basic_options(config)
    assert listed(help_of(config, "--help-all", capsys)) == everything
    assert len(everything) > 1.5 * len(basic_options(config))


def test_the_basic_options_of_a_structure_training() -> None:
    basic = basic_options(TrainConfig())
    assert 20 <= len(basic) <= 30
    assert {"data", "cutoff", "run_name", "epochs", "ckpt", "size", "path_type", "crop", "lr", "steps"} <= basic
    assert "recycling" not in basic


def test_a_command_without_tiers_lists_everything(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert listed(help_of(SampleConfig(), "--help", capsys)) == set(flatten(SampleConfig()))


def test_options_without_a_shown_gain_say_so(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    entries = re.split(r"^  --", help_of(TrainConfig(), "--help-all", capsys), flags=re.MULTILINE)
    experimental = {re.match(r"[\w-]+", entry).group() for entry in entries if "Experimental" in entry}
    assert experimental == {
        *("pair-features", "pair-feature-dropout", "self-conditioning", "consistency-weight"),
        *("synthetic-steps", "encoder", "labels", "ipa", "num-conformers"),
    }


@pytest.mark.parametrize("verb", [["train"], ["train", "--task", "confidence"], ["summary"], ["average"]])
def test_help_imports_no_torch(verb: list[str]) -> None:
    code = (
        "import sys; from rnagen.cli.main import main\n"
        f"try: main([*{verb!r}, '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def shape(config: TrainConfig) -> dict[str, int]:
    return {name: getattr(config.model, name) for name in SIZES["base"]}


def test_size_sets_the_widths_and_depths(tmp_path: Path) -> None:
    assert shape(TrainConfig()) == SIZES["small"]
    assert shape(parse(TrainConfig(), ["--size", "base"], "train.py")) == SIZES["base"]
    assert shape(parse(TrainConfig(), ["--size=base"], "train.py")) == SIZES["base"]
    file = tmp_path / "a.yaml"
    file.write_text("size: base\nnum_layers: 6\n")
    assert shape(parse(TrainConfig(), ["--config", str(file)], "train.py")) == {**SIZES["base"], "num_layers": 6}
    # A flag comes after the file, an explicit flag after that of the size.
    flags = ["--trunk-layers", "2", "--config", str(file), "--size", "small"]
    assert shape(parse(TrainConfig(), flags, "train.py")) == {**SIZES["small"], "trunk_layers": 2}
    assert parse(TrainConfig(), ["--size", "small"], "train.py") == TrainConfig()
    assert shape(parse(TrainConfig(), ["--config", str(CONFIGS / "base.yaml")], "train.py")) == SIZES["base"]
    with pytest.raises(ConfigError, match=r"^size: 'huge' cannot be used \(expected one of small, base\)"):
        parse(TrainConfig(), ["--size", "huge"], "train.py")


def test_old_names_are_understood_with_a_warning(tmp_path: Path, capsys) -> None:
    flags = ["--evidence", "turner1999", "--evidence-dropout=0.5"]
    config = parse(TrainConfig(), flags, "train.py")
    assert (config.model.pair_features, config.dataset.pair_feature_dropout) == (("turner1999",), 0.5)
    assert "warning: train.py: the option evidence is now called pair_features" in capsys.readouterr().err
    file = tmp_path / "old.yaml"
    file.write_text("evidence: [turner1999]\nfold: drawn\n")
    config = parse(TrainConfig(), ["--config", str(file)], "train.py")
    assert config.model.pair_features == ("turner1999",)
    assert config.sampler.secondary_structures == "sampled"
    assert "the option fold is now called secondary_structures" in capsys.readouterr().err
    assert parse(SampleConfig(), ["--fold", "drawn"], "sample.py").sampler.secondary_structures == "sampled"
    assert parse(TASKS["reactivity"](), ["--fold", "2", "--folds", "4"], "train.py").dataset.cv_split == 2


def test_value_of_a_flag() -> None:
    flags = ["--task", "a", "--size=b", "--task=c", "--last"]
    assert flag_value(flags, "task") == "c"
    assert flag_value(flags, "size") == "b"
    assert flag_value(flags, "last") == ""
    assert flag_value(flags, "other") is None


def test_a_folder_that_cannot_be_written_is_one_line(capsys) -> None:
    def command() -> int:
        raise PermissionError(13, "Permission denied", "/nowhere")

    assert guarded(command, "sample.py") == 2
    assert capsys.readouterr().err == (
        "sample.py: [Errno 13] Permission denied: '/nowhere' (is the folder writable, and the disk not full?)\n"
    )


def test_a_file_that_is_not_there_does_not_blame_the_disk(capsys) -> None:
    def command() -> int:
        return len(open("/nothere.cif").read())

    assert guarded(command, "sample.py") == 2
    assert capsys.readouterr().err == "sample.py: [Errno 2] No such file or directory: '/nothere.cif'\n"


def raising(error: BaseException):
    def command() -> int:
        raise error

    return command


def test_an_internal_error_is_one_line_and_on_request_a_traceback(capsys, monkeypatch) -> None:
    monkeypatch.delenv("RNAGEN_TRACEBACK", raising=False)
    error = KeyError("a\nb")
    assert guarded(raising(error), "sample.py") == 3
    line = capsys.readouterr().err
    assert line.startswith("sample.py: internal error: KeyError: 'a\\nb' (a fault of rnagen; set RNAGEN_TRACEBACK=1")
    assert line.count("\n") == 1
    monkeypatch.setenv("RNAGEN_TRACEBACK", "1")
    assert guarded(raising(error), "sample.py") == 3
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def too_large() -> None:
    torch.empty(2**50)


@pytest.mark.parametrize(
    "command",
    [too_large, lambda: np.empty(2**50), raising(MemoryError()), raising(torch.OutOfMemoryError("CUDA out of memory"))],
    ids=["torch", "numpy", "Python", "GPU"],
)
def test_too_little_memory_is_one_line_with_a_remedy(capsys, command) -> None:
    assert guarded(command, "train.py") == 2
    line = capsys.readouterr().err
    assert line.startswith("train.py: out of memory (")
    assert "--batch-size" in line
    assert line.count("\n") == 1


def test_an_error_of_several_lines_is_one_line(capsys) -> None:
    assert guarded(raising(ConfigError("first\nsecond")), "train.py") == 2
    assert capsys.readouterr().err == "train.py: first second\n"


def test_a_fault_before_the_command_is_one_line(capsys, monkeypatch) -> None:
    monkeypatch.setitem(VERBS, "absent", "a verb without a module")
    assert main(["absent"]) == 3
    assert capsys.readouterr().err.startswith("rnagen: internal error: ModuleNotFoundError: No module named")


def launch(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment}
    return subprocess.run(command, capture_output=True, check=False, env=env, cwd=ROOT)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
@pytest.mark.parametrize("verb", [*VERBS, ""])
def test_help_is_printed_on_every_console(verb: str, encoding: str) -> None:
    done = launch("-m", "rnagen.cli.main", *([verb] if verb else []), "--help", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert b"usage" in done.stdout


@pytest.mark.parametrize("program", ["train.py", "sample.py"])
def test_errors_are_printed_on_every_console(program: str, tmp_path: Path) -> None:
    file = tmp_path / "Å λ.yaml"
    file.write_text("größe: 1\n")
    flags = ["--config", str(file)]
    done = launch(program, *flags, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert done.stderr.endswith(b"? ?.yaml: no such option: gr??e\n")


@pytest.mark.parametrize("arguments", [["-m", "rnagen.cli.main", "--help"], ["train.py", "--help-all"]])
def test_a_reader_that_goes_away_is_no_error(arguments: list[str]) -> None:
    command = [sys.executable, *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=ROOT) as done:
        assert done.stdout is not None
        done.stdout.close()
        assert done.stderr is not None
        assert done.stderr.read() == b""
    assert done.returncode in (0, 141)


def test_a_long_output_without_a_reader_ends_quietly() -> None:
    code = "import sys; from rnagen.cli.options import guarded\n"
    code += "def lines():\n  for k in range(10**6): print(k)\n  return 0\n"
    code += "sys.exit(guarded(lines, 'x'))"
    command = f'{sys.executable} -c "{code}" | head -1; exit ${{PIPESTATUS[0]}}'
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (141, b"0\n", b"")


def test_output_to_a_full_disk_is_one_line() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "rnagen.cli.main", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, env=env, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("python -m rnagen.cli.main: [Errno 28] No space left on device")
    assert done.stderr.count("\n") == 1
