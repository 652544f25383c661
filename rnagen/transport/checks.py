"""Checks of options; the messages name the option and its allowed values."""

from collections.abc import Iterable


def one_of(option: str, value: str, allowed: Iterable[str]) -> None:
    """Raises ValueError unless `value` is one of the allowed names."""
    if value not in (names := tuple(allowed)):
        raise ValueError(f"unknown {option} {value!r}: choose one of {', '.join(names)}")


def at_least(option: str, value: int | float, least: int) -> None:
    """Raises ValueError if `value` is smaller than `least` or not a number."""
    if not value >= least:
        raise ValueError(f"{option} must be at least {least}, not {value}")
