"""The training engine: what every task goes through."""

from pathlib import Path

import pytest

from rnagen.errors import ConfigError
from rnagen.training.fit import seconds_of, start_from


def test_times() -> None:
    assert seconds_of("01:02:03:04") == 93784
    for text in ("1:2", "soon", ""):
        with pytest.raises(ConfigError, match="max_time"):
            seconds_of(text)


def test_a_run_starts_from_a_state_or_from_weights(tmp_path: Path) -> None:
    state, weights, other = (tmp_path / name for name in ("last.ckpt", "best.safetensors", "notes.txt"))
    for path in (state, weights, other):
        path.touch()
    assert start_from(None) == (None, None)
    assert start_from(state) == (state, None)
    assert start_from(weights) == (None, weights)
    with pytest.raises(ConfigError, match="neither"):
        start_from(other)
    with pytest.raises(ConfigError, match="no such file"):
        start_from(tmp_path / "absent.ckpt")
