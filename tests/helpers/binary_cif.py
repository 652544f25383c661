"""BinaryCIF made by code: each encoding as the specification has it."""

from typing import Any

import msgpack
import numpy as np

from tests.helpers.rna_files import Atom

BYTES = {"kind": "ByteArray", "type": 3}


def integers(values: list[int]) -> dict[str, Any]:
    return {"data": np.array(values, "<i4").tobytes(), "encoding": [BYTES]}


def packed(values: list[int]) -> dict[str, Any]:
    """Delta, run length and packing into bytes, as writers do it."""
    steps = np.diff(values, prepend=values[0]).tolist()
    runs: list[int] = []
    for step in steps:
        if runs and runs[-2] == step:
            runs[-1] += 1
        else:
            runs += [step, 1]
    small: list[int] = []
    for value in runs:
        while value >= 127:
            small, value = [*small, 127], value - 127
        while value <= -128:
            small, value = [*small, -128], value + 128
        small.append(value)
    encoding = [
        {"kind": "Delta", "origin": values[0], "srcType": 3},
        {"kind": "RunLength", "srcType": 3, "srcSize": len(values)},
        {"kind": "IntegerPacking", "byteCount": 1, "isUnsigned": False, "srcSize": len(runs)},
        {"kind": "ByteArray", "type": 1},
    ]
    return {"data": np.array(small, "i1").tobytes(), "encoding": encoding}


def fixed(values: list[float]) -> dict[str, Any]:
    found = integers([round(1000 * value) for value in values])
    return {**found, "encoding": [{"kind": "FixedPoint", "factor": 1000, "srcType": 33}, *found["encoding"]]}


def strings(values: list[str]) -> dict[str, Any]:
    distinct = sorted(set(values))
    offsets = np.cumsum([0, *map(len, distinct)]).tolist()
    rows = integers([distinct.index(value) for value in values])
    encoding = {
        "kind": "StringArray",
        "stringData": "".join(distinct),
        "dataEncoding": rows["encoding"],
        "offsets": integers(offsets)["data"],
        "offsetEncoding": [BYTES],
    }
    return {"data": rows["data"], "encoding": [encoding]}


def column(data: dict[str, Any]) -> dict[str, Any]:
    return data if "mask" in data else {"data": data}


def file_of(categories: dict[str, dict[str, Any]]) -> bytes:
    listed = [
        {"name": f"_{name}", "columns": [{"name": n, "mask": None, **column(d)} for n, d in columns.items()]}
        for name, columns in categories.items()
    ]
    return msgpack.packb(
        {"version": "0.3", "encoder": "by hand", "dataBlocks": [{"header": "X", "categories": listed}]}
    )


def atom_site(atoms: list[Atom]) -> dict[str, Any]:
    xyz = np.array([atom.xyz for atom in atoms])
    return {
        "group_PDB": strings(["ATOM"] * len(atoms)),
        "id": packed(list(range(1, len(atoms) + 1))),
        "type_symbol": strings([atom.name[0] for atom in atoms]),
        "label_atom_id": strings([atom.name for atom in atoms]),
        "label_alt_id": {"data": strings([""] * len(atoms)), "mask": packed([1] * len(atoms))},
        "label_comp_id": strings([atom.base for atom in atoms]),
        "label_asym_id": strings(["A"] * len(atoms)),
        "label_entity_id": strings(["1"] * len(atoms)),
        "label_seq_id": packed([atom.label for atom in atoms]),
        **{f"Cartn_{axis}": fixed(column.tolist()) for axis, column in zip("xyz", xyz.T)},
        "auth_seq_id": packed([atom.number for atom in atoms]),
        "auth_asym_id": strings(["A"] * len(atoms)),
        "pdbx_PDB_model_num": packed([1] * len(atoms)),
    }


def structure(sequence: str, atoms: list[Atom]) -> bytes:
    """A file of one chain with its declared sequence."""
    categories = {
        "entity": {"id": strings(["1"]), "type": strings(["polymer"])},
        "entity_poly": {"entity_id": strings(["1"]), "type": strings(["polyribonucleotide"])},
        "entity_poly_seq": {
            "entity_id": strings(["1"] * len(sequence)),
            "num": packed(list(range(1, len(sequence) + 1))),
            "mon_id": strings(list(sequence)),
        },
        "struct_asym": {"id": strings(["A"]), "entity_id": strings(["1"])},
        "atom_site": atom_site(atoms),
    }
    return file_of(categories)
