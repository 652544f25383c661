"""The checkpoints that ship: found by their names, small enough, honest about their cutoff."""

from pathlib import Path

import pytest

from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, SHIPPED, find_checkpoint, load_checkpoint
from rnagen.errors import InputError

LARGEST = 20e6
"""Bytes of a file that ships."""


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_checkpoint_is_found_by_its_name(name: str) -> None:
    checkpoint = load_checkpoint(Path(name))
    assert checkpoint.path.stem == name
    assert checkpoint.path.stat().st_size < LARGEST
    assert checkpoint.metadata["cutoff"] == "2022-05-27"
    assert checkpoint.metadata["parameters"] == checkpoint.model.num_parameters
    # Half precision on disk is single precision in memory.
    assert {str(parameter.dtype) for parameter in checkpoint.model.parameters()} == {"torch.float32"}


def test_a_file_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_checkpoint(Path("informed")) == DEFAULT_CHECKPOINT
    monkeypatch.chdir(tmp_path)
    Path("small").touch()
    assert find_checkpoint(Path("small")) == Path("small")
    with pytest.raises(InputError, match=r"large\.json|large"):
        load_checkpoint(Path("large"))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_model_card_is_of_the_shipped_checkpoint(name: str) -> None:
    card = (Path(__file__).parents[2] / "docs" / "model-card.md").read_text()
    section = card[card.index(f"## `{name}`") :].split("<!-- end card", 1)[0]
    metadata = load_checkpoint(Path(name)).metadata
    rows = dict(row.strip("| ").split(" | ") for row in section.splitlines() if row.startswith("| ") and len(row) > 5)
    assert metadata["data"]["chains"] > 1000
    assert rows["parameters"] == f"{metadata['parameters']:,}"
    assert rows["trained for"].startswith((f"{metadata['hours']:.1f} hours", f"{metadata['hours']:.2f} hours"))
    assert rows["training chains"] == f"{metadata['data']['chains']:,}"
    assert rows["cutoff"].endswith(metadata["cutoff"])
