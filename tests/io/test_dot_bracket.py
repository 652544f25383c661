"""Dot-bracket: what is written is what is read; what cannot be is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnagen.io.dot_bracket import BRACKETS, is_dot_bracket, parse_dot_bracket, without_energy
from rnagen.structure import UNKNOWN, UNPAIRED


@pytest.mark.parametrize(
    ("text", "pair_table"),
    [
        ("((..))", [5, 4, -1, -1, 1, 0]),
        ("(([.))]", [5, 4, 6, -1, 1, 0, 2]),
        ("<{-}>?", [4, 3, -1, 1, 0, -2]),
        ("", []),
    ],
)
def test_by_hand(text: str, pair_table: list[int]) -> None:
    assert parse_dot_bracket(text).tolist() == pair_table


@given(st.lists(st.sampled_from([*"..?", *BRACKETS, *BRACKETS.values()]), max_size=60))
def test_partners_are_mutual(symbols: list[str]) -> None:
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("())", "position 3: '\\)' closes no bracket"),
        ("([)", "position 2: a bracket without its"),
        ("(x)", "position 2: 'x'"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_dot_bracket(text)


def test_lines_are_told_from_sequences() -> None:
    assert is_dot_bracket("((...)) ( -1.20)")
    assert without_energy("((...)) (-12.20) ") == "((...))"
    assert not is_dot_bracket("GG(5MC)A")
    assert not is_dot_bracket("")
