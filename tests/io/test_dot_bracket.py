"""Dot-bracket: what is written is what is read; what cannot be is named."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnagen.io.dot_bracket import BRACKETS, LONGEST, format_dot_bracket, parse_dot_bracket
from rnagen.structure import UNKNOWN, UNPAIRED


@pytest.mark.parametrize(
    ("text", "pair_table"),
    [
        ("((..))", [5, 4, -1, -1, 1, 0]),
        ("(([.))]", [5, 4, 6, -1, 1, 0, 2]),
        ("<{-}>?", [4, 3, -1, 1, 0, -2]),
        ("(A.)a", [3, 4, -1, 0, 1]),
        ("ZYyz", [3, 2, 1, 0]),
        ("", []),
    ],
)
def test_by_hand(text: str, pair_table: list[int]) -> None:
    assert parse_dot_bracket(text).tolist() == pair_table


@given(st.lists(st.sampled_from([*"..?", *BRACKETS, *BRACKETS.values()]), max_size=60))
def test_pairs_are_mutual(symbols: list[str]) -> None:
    open_of = {closing: opening for opening, closing in BRACKETS.items()}
    counts = dict.fromkeys(BRACKETS, 0)
    selected = []
    for symbol in symbols:
        if symbol in counts:
            counts[symbol] += 1
        elif symbol in open_of:
            if not counts[open_of[symbol]]:
                continue
            counts[open_of[symbol]] -= 1
        selected.append(symbol)
    text = "".join(selected) + "".join(BRACKETS[opening] * n for opening, n in counts.items())
    pair_table = parse_dot_bracket(text).tolist()
    for i, (symbol, j) in enumerate(zip(text, pair_table)):
        if j >= 0:
            assert pair_table[j] == i
            assert {text[min(i, j)]: text[max(i, j)]}.items() <= BRACKETS.items()
        assert (j == UNPAIRED) == (symbol == ".")
        assert (j == UNKNOWN) == (symbol == "?")


@given(st.permutations(range(30)), st.integers(0, 15))
def test_any_pairs_are_written_and_read_again(order: list[int], pairs: int) -> None:
    table = [UNPAIRED] * 30
    for i, j in zip(order[:pairs], order[15:]):
        table[i], table[j] = j, i
    assert parse_dot_bracket(format_dot_bracket(table)).tolist() == table


def test_nested_pairs_are_round_brackets() -> None:
    assert format_dot_bracket([5, 4, -1, -1, 1, 0]) == "((..))"
    assert format_dot_bracket([2, 3, 0, 1]) == "([)]"


@pytest.mark.parametrize("table", [[1, 2, 1], [0], [5], [1, -1]])
def test_one_sided_pairs_are_refused(table: list[int]) -> None:
    with pytest.raises(ValueError, match="but not the other way round"):
        format_dot_bracket(table)


def test_more_crossing_pairs_than_kinds_are_refused() -> None:
    n = len(BRACKETS) + 1
    with pytest.raises(ValueError, match="cross each other"):
        format_dot_bracket([*range(n, 2 * n), *range(n)])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("())", "position 3: '\\)' closes no bracket"),
        ("([)", "position 2: a bracket without its"),
        ("(x)", "position 2: 'x' closes no bracket"),
        ("(+)", "position 2: '\\+' is not"),
        ("()" * LONGEST, "at most"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_dot_bracket(text)


def test_long_structures_take_no_time() -> None:
    start = time.perf_counter()
    parse_dot_bracket("(" * 16_000 + ")" * 16_000)
    assert time.perf_counter() - start < 1
