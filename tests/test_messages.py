"""Quotations in messages: faithful where they are short, and short where they are not."""

from pathlib import Path

import pytest

from rnagen.messages import MOST, did_you_mean, number_of, one_line, quoted


def test_what_is_counted_is_in_the_singular_or_plural() -> None:
    assert [number_of(count, "RNA") for count in (0, 1, 2, 1500)] == ["0 RNAs", "1 RNA", "2 RNAs", "1,500 RNAs"]
    assert number_of(2, "entry") == "2 entries"


@pytest.mark.parametrize("value", ["huge", 5, -0.5, None, True, ("a", "b"), [1, 2], {"a": 1}, Path("a/b")])
def test_short_values_are_quoted_in_full(value: object) -> None:
    assert quoted(value) == repr(value)


def test_long_values_are_not() -> None:
    for value in ("x" * 10**6, ["y" * 100] * 100, dict.fromkeys(range(99), "z" * 99), Path("p" * 5000)):
        assert len(quoted(value)) <= MOST
    assert quoted(1 << 20_000) == "<an integer of 20001 bits>"
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    assert len(quoted(deep)) <= MOST


def test_one_line() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("a" * 1000) == "a" * 299 + "…"


def test_a_mistyped_word_gets_the_nearest_one_in_any_case() -> None:
    words = ["tRNA", "riboswitch"]
    assert did_you_mean("trna", words) == did_you_mean("TRNAS", words) == " (did you mean tRNA?)"
    assert did_you_mean("Ribo-switch", words) == " (did you mean riboswitch?)"
    assert did_you_mean("x", words) == ""
