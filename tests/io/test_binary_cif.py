"""BinaryCIF against values that are encoded by hand, as the specification has it."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.io.binary_cif import is_binary_cif, read_binary_cif
from rnagen.io.read import read_structures
from tests.helpers.binary_cif import BYTES, atom_site, file_of, integers, packed, strings, structure
from tests.helpers.rna_files import SEQUENCE, mmcif, strand


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
def test_the_same_structure_as_from_text(tmp_path: Path, wrap: Callable[[bytes], bytes]) -> None:
    atoms = strand(SEQUENCE, start=301)
    (tmp_path / "x.bcif").write_bytes(wrap(structure(SEQUENCE, atoms)))
    (tmp_path / "x.cif").write_text(mmcif({"A": (SEQUENCE, atoms)}))
    (binary,), (text,) = read_structures(tmp_path / "x.bcif"), read_structures(tmp_path / "x.cif")
    assert (binary.name, binary.sequence) == (text.name, text.sequence)
    np.testing.assert_array_equal(binary.mask, text.mask)
    np.testing.assert_allclose(binary.coords, text.coords, atol=1e-3)


def values(data: dict[str, Any], mask: dict[str, Any] | None = None) -> list[str]:
    column = {"name": "value", "data": data, "mask": mask}
    block = {"header": "X", "categories": [{"name": "_c", "columns": [column]}]}
    document = read_binary_cif(msgpack.packb({"encoder": "by hand", "dataBlocks": [block]}))
    return list(document.sole_block().find_values("_c.value"))


def test_strings_and_runs_do_not_multiply() -> None:
    """A string of 1 MB in 1,000 rows, and one number a million times, from a few bytes."""
    rows = [{"kind": "ByteArray", "type": 4}]
    shared = {
        "kind": "StringArray",
        "stringData": "x" * 1_000_000,
        "offsets": np.array([0, 1_000_000], "<i4").tobytes(),
        "offsetEncoding": [{"kind": "ByteArray", "type": 3}],
        "dataEncoding": rows,
    }
    with pytest.raises(ValueError, match="expands to more than a file of its size holds"):
        values({"data": bytes(1000), "encoding": [shared]})
    runs = [{"kind": "RunLength"}, {"kind": "ByteArray", "type": 3}]
    assert len(values({"data": np.array([7, 1000], "<i4").tobytes(), "encoding": runs})) == 1000
    with pytest.raises(ValueError, match="run lengths that cannot be right"):
        values({"data": np.array([7, 10_000_001], "<i4").tobytes(), "encoding": runs})


def test_every_encoding() -> None:
    assert values(packed([5, 5, 5, 400, -300, 7])) == ["5", "5", "5", "400", "-300", "7"]
    unsigned = {"kind": "IntegerPacking", "byteCount": 1, "isUnsigned": True, "srcSize": 3}
    assert values({"data": bytes([255, 2, 0, 9]), "encoding": [unsigned, {"kind": "ByteArray", "type": 4}]}) == [
        "257",
        "0",
        "9",
    ]
    quantized = {"kind": "IntervalQuantization", "min": 1.0, "max": 2.0, "numSteps": 5, "srcType": 33}
    assert values({**integers([0, 2, 4]), "encoding": [quantized, BYTES]}) == ["1.0", "1.5", "2.0"]
    assert values(strings(["a b", "", "O5'"])) == ["'a b'", "''", '"O5\'"']
    assert values(integers([1, 2, 3]), mask=integers([0, 1, 2])) == ["1", ".", "?"]


def test_damage_is_one_line(tmp_path: Path) -> None:
    runs = {"kind": "RunLength", "srcType": 3, "srcSize": 3}
    with pytest.raises(ValueError, match="run lengths that cannot be right"):
        values({**integers([7, 2**31 - 1]), "encoding": [runs, BYTES]})
    whole = file_of({"atom_site": atom_site(strand(SEQUENCE))})
    assert is_binary_cif(whole)
    for data in (whole[: len(whole) // 2], whole.replace(b"FixedPoint", b"FixedPaint")):
        (tmp_path / "x.bcif").write_bytes(data)
        with pytest.raises(InputError, match=r"x\.bcif: BinaryCIF that is damaged"):
            read_structures(tmp_path / "x.bcif")
