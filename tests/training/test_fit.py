"""The training engine: what every task goes through."""

import pytest

from rnagen.errors import ConfigError
from rnagen.training.fit import seconds_of


def test_times() -> None:
    assert seconds_of("01:02:03:04") == 93784
    for text in ("1:2", "soon", ""):
        with pytest.raises(ConfigError, match="max_time"):
            seconds_of(text)
