"""Values that change with the epoch, as text: `0:8,50:4` is 8 from epoch 0 on and 4 from epoch 50 on."""

import math

from rnagen.errors import ConfigError
from rnagen.messages import quoted

Changes = tuple[tuple[int, float], ...]
"""Epochs in ascending order, each with the value from it on."""


def changes_of(text: str, option: str, least: int = 0, form: str = "EPOCH:VALUE,EPOCH:VALUE …") -> Changes:
    """The changes that a text describes; `form` is what messages name as expected.

    Raises:
        ConfigError: it does not, its epochs do not ascend, or a value is below `least`; names the option.
    """
    try:
        pairs = [part.split(":") for part in text.split(",")]
        found = tuple((int(epoch), float(value)) for epoch, value in pairs)
    except ValueError:
        raise ConfigError(f"{option}: {quoted(text)} cannot be used (expected {form})") from None
    epochs = [epoch for epoch, _ in found]
    if epochs != sorted(set(epochs)) or epochs[0] < 0:
        raise ConfigError(f"{option}: {quoted(text)} cannot be used: epochs start at 0 or later and ascend")
    if not all(least <= value < math.inf for _, value in found):
        raise ConfigError(f"{option}: {quoted(text)} cannot be used: values must be at least {least} and finite")
    return found


def value_at(epoch: int, changes: Changes, before: int | float) -> int | float:
    """The value at an epoch; `before` the first change."""
    return next((value for start, value in reversed(changes) if start <= epoch), before)
