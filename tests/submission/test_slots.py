from pathlib import Path

import pytest

from rnagen.errors import ConfigError
from rnagen.submission.slots import read_slots, round_robin
from tests.helpers.commands import ROOT

NAMES = ["base", "small", "boltz"]


def test_slots_are_dealt_in_the_order_of_the_sources() -> None:
    assert round_robin(["a"]).sources_for(10) == ("a",) * 5
    assert round_robin(["a", "b"]).sources_for(10) == ("a", "b", "a", "b", "a")
    assert round_robin(list("abcdefg")).sources_for(10) == tuple("abcde")


def test_bands_are_chosen_by_length() -> None:
    table = read_slots(ROOT / "configs" / "submission_slots.yaml", NAMES)
    assert table.sources_for(1) == table.sources_for(160) == ("base", "base", "base", "small", "small")
    assert table.sources_for(161) == table.sources_for(9999) == ("base", "small", "base", "small", "base")


def test_a_source_is_a_name_or_a_number(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("bands:\n- {to: null, slots: [boltz, 1, 2, 3, small]}\n")
    assert read_slots(tmp_path / "x.yaml", NAMES).sources_for(5) == ("boltz", "base", "small", "boltz", "small")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slots: [1]", "expected `bands`"),
        ("bands: []", "expected `bands`"),
        ("bands: [3]", "band 1: 3 cannot be used"),
        ("bands: [{to: null, slots: [1, 1, 1, 1]}]", "expected a list of 5 sources"),
        ("bands: [{to: null, slots: [1, 1, 1, 1, 4]}]", r"no such source: 4 \(there are base, small, boltz, or 1 to 3"),
        ("bands: [{to: null, slots: [1, 1, 1, 1, 0]}]", "no such source: 0"),
        ("bands: [{to: null, slots: [1, 1, 1, 1, bolz]}]", "did you mean boltz"),
        ("bands: [{to: 10, slots: [1, 1, 1, 1, 1]}]", "the last band needs `to: null`"),
        ("bands: [{to: -1, slots: [1, 1, 1, 1, 1]}]", "expected a length in nt"),
        ("bands: [{to: null, slots: [1, 1, 1, 1, 1]}, {to: null, slots: [1, 1, 1, 1, 1]}]", "must rise"),
        (
            "bands:\n- {to: 20, slots: [1, 1, 1, 1, 1]}\n- {to: 10, slots: [1, 1, 1, 1, 1]}\n"
            "- {to: null, slots: [1, 1, 1, 1, 1]}",
            "must rise",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_slots(tmp_path / "x.yaml", NAMES)
