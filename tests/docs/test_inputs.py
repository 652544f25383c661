"""docs/inputs.md: its example is read, and it lists every format."""

from pathlib import Path

from rnagen.io.targets import FORMATS, read_targets
from tests.helpers.commands import ROOT

TEXT = (ROOT / "docs" / "inputs.md").read_text()


def test_the_example_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(TEXT.split("```\n")[1])
    (target,), errors = read_targets(tmp_path / "x")
    assert not errors
    assert (target.name, target.secondary_structure) == ("hairpin", "((((((......))))))")


def test_every_format_is_listed() -> None:
    table = TEXT.split("| format |")[1].split("\n\n")[0]
    assert table.count("\n") - 1 == len(FORMATS)
