import sys
from pathlib import Path

import pytest

from rnagen.metrics import usalign_tm

OUTPUT = """
Name of Structure_1: pred.pdb:A
TM-score= 0.11111 (normalized by length of Structure_1: L=20, d0=0.60)
TM-score= 0.22222 (normalized by length of Structure_2: L=10, d0=0.30)
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """A program `USalign` on the PATH that writes its arguments to a file and then runs `body`."""
    seen = folder / "arguments"
    script = folder / "USalign"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(seen)!r}, 'w').write('|'.join(sys.argv[1:]))\n{body}\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return seen


def test_second_score_of_the_benchmarks_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = install(tmp_path, monkeypatch, f"print({OUTPUT!r})")
    assert usalign_tm(Path("pred.pdb"), Path("native.pdb")) == 0.22222
    assert seen.read_text() == "pred.pdb|native.pdb|-atom| C1'"


def test_no_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no USalign on the PATH"):
        usalign_tm(Path("a.pdb"), Path("b.pdb"))


@pytest.mark.parametrize("body", ["print('TM-score= 0.5')", "print('bad file', file=sys.stderr); sys.exit(3)"])
def test_a_failing_binary_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    install(tmp_path, monkeypatch, body)
    with pytest.raises(RuntimeError, match=r"no score; its output: (TM-score= 0.5|bad file)"):
        usalign_tm(Path("a.pdb"), Path("b.pdb"))
