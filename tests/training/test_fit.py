"""The training engine: what every task goes through."""

import pytest

from rnagen.errors import ConfigError
from rnagen.training.fit import seconds_of


def test_times() -> None:
    assert seconds_of("01:02:03:04") == 93784
    found = [seconds_of(text) for text in ("90s", "30m", "1h", "1.5h", "1d", "0s")]
    assert found == [90, 1800, 3600, 5400, 86400, 0]
    for text in ("1:2", "soon", "", "1w", "-1h", "h", "1h30m", "999999d"):
        with pytest.raises(ConfigError, match="max_time"):
            seconds_of(text)
