"""RDAT files, the format of the RNA Mapping Database (rmdb.stanford.edu), as profiles."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from rnagen.errors import InputError
from rnagen.io.profiles import Profile
from rnagen.messages import one_line

_SEQUENCE_POSITION = re.compile(r"([A-Za-z]?)([-+]?\d{1,9})")
_OFFSET = re.compile(r"[-+]?\d{1,9}")
_MUTATION = re.compile(r"([ACGUT])([-+]?\d{1,9})([ACGUT])")
_LAST_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?$")
_FORMER = {"AREA_PEAK": "REACTIVITY"}
"""Keys of the first versions of the format."""

Annotations = dict[str, list[str]]
"""Values of each key: `modifier:1M7` is `{"modifier": ["1M7"]}`."""


@dataclass
class _Construct:
    """An RNA and its data lines, as text by key: `data["3"]["REACTIVITY"]`."""

    header: dict[str, str] = field(default_factory=dict)
    annotations: Annotations = field(default_factory=lambda: defaultdict(list))
    data: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))


def is_rdat(line: str) -> bool:
    """Whether the first line of a file is that of the format."""
    return line.startswith("RDAT_VERSION")


def read_rdat(path: Path, lines: Sequence[str]) -> list[Profile]:
    """One profile for each REACTIVITY line, named by construct and number in the file; unusable ones have a `fault`.

    The sequence is that of the data line if it has one, otherwise that of the construct with the line's mutations. The
    experiment is the modifier (1M7, DMS …).

    Raises:
        InputError: the file has no REACTIVITY line.
    """
    profiles = [
        _profile(construct, data, f"{construct.header.get('NAME', path.name)}:{number}")
        for number, (construct, data) in enumerate(_measurements(lines), start=1)
    ]
    if not profiles:
        raise InputError(path, None, "an RDAT file without a REACTIVITY line")
    return profiles


def _measurements(lines: Sequence[str]) -> Iterator[tuple[_Construct, dict[str, str]]]:
    for construct in _constructs(lines):
        yield from ((construct, data) for data in construct.data.values() if "REACTIVITY" in data)


def _constructs(lines: Sequence[str]) -> list[_Construct]:
    found = [_Construct()]
    for line in lines:
        label, value, *_ = [*line.split(maxsplit=1), "", ""]
        key, _, number = label.partition(":")
        key = _FORMER.get(key, key)
        if key == "NAME" and "NAME" in found[-1].header:
            found.append(_Construct())
        if number:
            found[-1].data[number][key] = value.strip()
        elif key == "ANNOTATION":
            found[-1].annotations.update(_annotations(value))
        else:
            found[-1].header[key] = value.strip()
    return found


def _annotations(text: str) -> Annotations:
    found: Annotations = defaultdict(list)
    for item in text.split():
        key, _, value = item.partition(":")
        found[key].append(value)
    return found


def _profile(construct: _Construct, data: dict[str, str], name: str) -> Profile:
    annotations = {**construct.annotations, **_annotations(data.get("ANNOTATION_DATA", ""))}
    experiment = "+".join(dict.fromkeys(annotations.get("modifier", [])))
    noise = _LAST_NUMBER.search("".join(annotations.get("signal_to_noise", [])))
    sequence, reactivity, fault = "", np.full(1, np.nan, dtype=np.float32), None
    try:
        sequence, reactivity = _measured(construct, data, annotations)
        if not experiment:
            raise ValueError("no modifier: the experiment is unknown")
    except ValueError as error:
        fault = str(error)
    return Profile(name, sequence, experiment or "unknown", reactivity, float(noise[0]) if noise else np.nan, fault)


def _measured(
    construct: _Construct, data: dict[str, str], annotations: Annotations
) -> tuple[str, Float32[np.ndarray, " L"]]:
    """Sequence and reactivity of a data line."""
    own = data.get("SEQUENCE") or "".join(annotations.get("sequence", []))
    sequence = "".join((own or _mutated(construct, annotations)).split())
    if not sequence:
        raise ValueError("no SEQUENCE")
    places, values = _places(construct, len(sequence)), data["REACTIVITY"].split()
    if len(values) != len(places):
        raise ValueError(f"{len(values)} values of REACTIVITY, but SEQPOS has {len(places)} positions")
    # A library gives one SEQPOS for designs of several lengths: what lies beyond a design of its own has no meaning.
    if max(places) >= len(sequence) and not own:
        raise ValueError("SEQPOS ends beyond SEQUENCE, or does not fit OFFSET")
    found = np.full(len(sequence), np.nan, dtype=np.float32)
    for place, value in zip(places, values):
        if place < len(sequence):
            found[place] = float(value)
    return sequence, found


def _mutated(construct: _Construct, annotations: Annotations) -> str:
    letters = list(construct.header.get("SEQUENCE", ""))
    for mutation in annotations.get("mutation", []):
        if mutation.upper() in ("WT", "NONE", ""):
            continue
        match = _MUTATION.fullmatch(mutation.upper())
        place = int(match[2]) - _offset(construct) - 1 if match else -1
        if match is None or not 0 <= place < len(letters) or _rna(letters[place]) != _rna(match[1]):
            raise ValueError(f"mutation {mutation} does not fit SEQUENCE and OFFSET")
        letters[place] = match[3]
    return "".join(letters)


def _places(construct: _Construct, length: int) -> list[int]:
    """Position, from 0, in the sequence of each value."""
    words = construct.header.get("SEQPOS", "").replace(",", " ").split()
    if not words:
        return list(range(length))
    matches = [_SEQUENCE_POSITION.fullmatch(word) for word in words]
    places = [int(match[2]) - _offset(construct) - 1 for match in matches if match]
    if len(places) < len(words) or min(places) < 0:
        raise ValueError("SEQPOS does not fit OFFSET, or is not a list of numbers")
    sequence = "".join(construct.header.get("SEQUENCE", "").split())
    letters = [(match[1], sequence[place]) for match, place in zip(matches, places) if match and place < len(sequence)]
    wrong = sum(bool(letter) and _rna(letter) != _rna(base) for letter, base in letters)
    if 2 * wrong > len(letters):
        raise ValueError(f"SEQPOS does not fit SEQUENCE and OFFSET: {wrong} of {len(letters)} letters differ")
    return places


def _offset(construct: _Construct) -> int:
    text = construct.header.get("OFFSET") or "0"
    if not _OFFSET.fullmatch(text):
        raise ValueError(f"OFFSET {one_line(text, 20)} is not a number")
    return int(text)


def _rna(letter: str) -> str:
    return letter.upper().replace("T", "U")
