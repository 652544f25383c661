"""Targets from names and sequences."""

import pytest

from rnagen.errors import InputError
from rnagen.io.target import make_target


@pytest.mark.parametrize("name", ["../a", "a/b", "..", ".dot", "NA", "CON", "x" * 300, "two words", "tRNA-Phé"])
def test_a_name_stays_what_it_is(name: str) -> None:
    assert make_target("file", name, "GG").name == name


@pytest.mark.parametrize(("name", "reason"), [("", "no name"), (" \t", "no name"), ("a\udcff", "not Unicode")])
def test_what_is_not_a_name_is_refused(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make_target("file", name, "GG")
