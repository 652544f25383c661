"""Names of devices."""

import pytest
import torch

from rnagen.devices import choose_device
from rnagen.errors import ConfigError


def test_known_devices() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("cpu:0") == "cpu:0"
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["", "gpu", "cpu:1", "cpu:x", "cuda:99", "meta", "x" * 5000])
def test_other_devices_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(ConfigError, match="is not available here") as error:
        choose_device(name)
    assert len(str(error.value)) < 300
