"""Slot tables: which source fills which of the five slots, by the length of the target."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnagen.config.files import load_yaml
from rnagen.errors import ConfigError
from rnagen.messages import did_you_mean, quoted
from rnagen.submission.table import SLOTS


@dataclass(frozen=True)
class Band:
    """Lengths up to a limit, and the source of each slot."""

    to: int | None
    """Longest target in nt; None for all lengths."""
    sources: tuple[str, ...]
    """By slot."""


@dataclass(frozen=True)
class SlotTable:
    """Bands by rising length; the last has no limit."""

    bands: tuple[Band, ...]

    def sources_for(self, length: int) -> tuple[str, ...]:
        """The source of each slot of a target of so many nt."""
        return next(band.sources for band in self.bands if band.to is None or length <= band.to)


def round_robin(names: Sequence[str]) -> SlotTable:
    """Slots dealt among the sources in their order, for all lengths."""
    return SlotTable((Band(None, tuple(names[slot % len(names)] for slot in range(SLOTS))),))


def read_slots(path: Path, names: Sequence[str]) -> SlotTable:
    """The slot table of a YAML file (configs/submission_slots.yaml), in which a source is its name or its number.

    Args:
        path: of the file: `bands`, a list of `to` and `slots`.
        names: of the sources, in their order.

    Raises:
        ConfigError: another form, limits that do not rise, a source that was not given, or not five slots.
    """
    values = load_yaml(path)
    bands = values.get("bands")
    if set(values) != {"bands"} or not isinstance(bands, list) or not bands:
        raise ConfigError(f"{path}: expected `bands`, a list of `to` (nt) and `slots` (five sources)")
    read = tuple(_band(f"{path}: band {k}", band, names) for k, band in enumerate(bands, start=1))
    limits = [band.to for band in read]
    if limits[-1] is not None:
        raise ConfigError(f"{path}: band {len(read)}: the last band needs `to: null`, for all longer targets")
    rising = [limit for limit in limits[:-1] if limit is not None]
    if len(rising) < len(limits) - 1 or rising != sorted(set(rising)):
        raise ConfigError(f"{path}: the limits `to` must rise from band to band")
    return SlotTable(read)


def _band(where: str, band: Any, names: Sequence[str]) -> Band:
    if not isinstance(band, dict) or set(band) != {"to", "slots"}:
        raise ConfigError(f"{where}: {quoted(band)} cannot be used (expected `to` and `slots`)")
    to, slots = band["to"], band["slots"]
    if to is not None and (type(to) is not int or to < 1):
        raise ConfigError(f"{where}: to: {quoted(to)} cannot be used (expected a length in nt, or null)")
    if not isinstance(slots, list) or len(slots) != SLOTS:
        raise ConfigError(f"{where}: slots: {quoted(slots)} cannot be used (expected a list of {SLOTS} sources)")
    return Band(to, tuple(_source(where, slot, names) for slot in slots))


def _source(where: str, slot: Any, names: Sequence[str]) -> str:
    if type(slot) is int and 1 <= slot <= len(names):
        return names[slot - 1]
    if isinstance(slot, str) and slot in names:
        return slot
    hint = did_you_mean(str(slot), names) or f" (there are {', '.join(names)}, or 1 to {len(names)})"
    raise ConfigError(f"{where}: no such source: {quoted(slot)}{hint}")
