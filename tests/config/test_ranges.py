"""The ranges that messages name are those that are checked."""

import re
from contextlib import nullcontext

import pytest

from rnagen.config.files import load_config
from rnagen.config.ranges import RANGES
from rnagen.config.shared import ACCELERATORS
from rnagen.config.structure import TrainConfig
from rnagen.errors import ConfigError

NUMBERS = {name: words for name, words in RANGES.items() if re.match(r"(from|more than|\d+ or more)", words)}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_below_or_above_is_refused_with_the_range(name: str) -> None:
    numbers = [float(found) for found in re.findall(r"-?\d+", NUMBERS[name])]
    outside = [numbers[0] if NUMBERS[name].startswith("more than") else numbers[0] - 1]
    outside += [numbers[1] + 1] if len(numbers) > 1 else []
    for number in outside:
        with pytest.raises(ConfigError, match=re.escape(f"cannot be used (expected {RANGES[name]})")):
            load_config(TrainConfig(), {name: int(number)}, "x")


@pytest.mark.parametrize("name", NUMBERS)
def test_the_ends_of_a_range_can_be_used(name: str) -> None:
    numbers = [int(found) for found in re.findall(r"-?\d+", NUMBERS[name])]
    inside = [] if NUMBERS[name].startswith("more than") else numbers[:1]
    inside += numbers[1:] if " to less than " not in NUMBERS[name] else []
    for number in inside:
        # A width of one takes one head, which it does not fit: refused for that alone.
        unfit = name == "embed_dim" and number == 1
        with pytest.raises(ConfigError, match="mha_heads") if unfit else nullcontext():
            load_config(TrainConfig(), {name: number}, "x")


def test_the_devices_are_those_that_exist() -> None:
    assert RANGES["accelerator"] == f"one of {', '.join(ACCELERATORS)}"
