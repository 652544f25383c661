"""What a message quotes of its cause: one line, and little of it."""

import difflib
import reprlib
from collections.abc import Iterable

MOST = 120
"""Characters of a value that a message quotes."""
MOST_BITS = 256
"""Of an integer that a message quotes: Python refuses to write out very large ones."""


class _Quoted(reprlib.Repr):
    """`repr` of the first few parts of a value."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxlong, self.maxother = 3, 60, 90, 90

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() <= MOST_BITS else f"<an integer of {x.bit_length()} bits>"


def quoted(value: object) -> str:
    """`repr` of a value, shortened."""
    return one_line(_Quoted().repr(value), MOST)


def one_line(text: object, most: int = 300) -> str:
    """A text, such as a foreign error, on one line and in no more than so many characters; what cannot be printed is
    escaped."""
    whole = str(text)
    # A multiple of what is quoted: white space may go, and a whole input may be megabytes.
    line = " ".join(whole[: 4 * most].split())
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return line if len(line) <= most and len(whole) <= 4 * most else line[: most - 1] + "…"


def number_of(count: int, what: str) -> str:
    """`1 RNA`, `2 RNAs`: a number and the noun, in the singular, of what is counted.

    >>> number_of(1, "record"), number_of(2000, "entry")
    ('1 record', '2,000 entries')
    """
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {what if count == 1 else many}"


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """` (did you mean WORD?)` with the word that a mistyped one resembles most, in upper or lower case; empty if it
    resembles none."""
    by_letters = {one.lower(): one for one in words}
    near = difflib.get_close_matches(word.lower(), list(by_letters), n=1)
    return f" (did you mean {by_letters[near[0]]}?)" if near else ""
