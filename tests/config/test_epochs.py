"""Values by epoch."""

import pytest

from rnagen.config.epochs import changes_of, value_at
from rnagen.errors import ConfigError


def test_the_last_change_counts() -> None:
    changes = changes_of("2:8,50:4,100:0.5", "size")
    assert [value_at(epoch, changes, 16) for epoch in (0, 1, 2, 49, 50, 99, 100, 1000)] == [
        16,
        16,
        8,
        8,
        4,
        4,
        0.5,
        0.5,
    ]
    assert value_at(3, (), 7) == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected EPOCH:VALUE,EPOCH:VALUE"),
        ("8", "expected EPOCH:VALUE"),
        ("0:8,", "expected EPOCH:VALUE"),
        ("0:1:2", "expected EPOCH:VALUE"),
        ("0.5:8", "expected EPOCH:VALUE"),
        ("0:8,0:4", "ascend"),
        ("5:8,3:4", "ascend"),
        ("-1:8", "start at 0 or later"),
        ("0:-1", "at least 0 and finite"),
        ("0:nan", "at least 0 and finite"),
        ("0:inf", "at least 0 and finite"),
    ],
)
def test_what_is_not_a_schedule_is_one_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"^size: '{text}' cannot be used.*{words}"):
        changes_of(text, "size")
