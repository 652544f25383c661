"""Files of secondary structures: each format is read, and each fault is named."""

from pathlib import Path

import pytest

from rnagen.errors import InputError
from rnagen.io.structure_file import structure_records, with_secondary_structure
from rnagen.io.target import make_target

SEQUENCE = "GGGAAACUUCGGUUUCCC"
HELIX = "((((((......))))))"
KNOT = "(((..[[[..)))..]]]"
CT = "18 rna\n" + "".join(
    f"{i} {base} {i - 1} {i + 1} {19 - i if i <= 6 or i > 12 else 0} {i}\n" for i, base in enumerate(SEQUENCE, 1)
)
BPSEQ = "".join(f"{i} {base} {19 - i if i <= 6 or i > 12 else 0}\n" for i, base in enumerate(SEQUENCE, 1))


@pytest.mark.parametrize(
    ("text", "structure"),
    [
        (f">rna\n{SEQUENCE}\n{HELIX}\n", HELIX),
        (f">rna\n{SEQUENCE.replace('U', 'T').lower()}\n{HELIX} (-5.40)\n", HELIX),
        (f">rna\n{HELIX}\n", HELIX),
        (f"# a comment\n{SEQUENCE}\n{HELIX}\n", HELIX),
        (f"{HELIX}\n", HELIX),
        (f"{KNOT}\n", KNOT),
        ("((??..AA....aa..))\n", "((??..AA....aa..))"),
        (f"{HELIX} (-5.40)\n", HELIX),
        (CT, HELIX),
        (BPSEQ, HELIX),
        (f"# STOCKHOLM 1.0\nrna {SEQUENCE}\n#=GC SS_cons {HELIX}\n//\n", HELIX),
    ],
)
def test_each_format(tmp_path: Path, text: str, structure: str) -> None:
    path = tmp_path / "rna.txt"
    path.write_text(text)
    (found,) = structure_records(path)
    target = with_secondary_structure(make_target("test", "rna", SEQUENCE), path, found)
    assert target.secondary_structure == structure


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f">rna\n{SEQUENCE}\n", "rna.txt: rna: has no secondary structure: write it in dot-bracket notation"),
        (f">rna\nC{SEQUENCE[1:]}\n{HELIX}\n", "rna: is of another sequence: C in place 1, where it is G"),
        (f">rna\n{SEQUENCE}G\n{HELIX}.\n", "rna: is of 19 residues, but the sequence has 18"),
        (">rna\n((((....))))\n", "secondary structure of 12 symbols for 18 residues"),
        ("((((....))))\n", "secondary structure of 12 symbols for 18 residues"),
        (f"{HELIX[:-1]}.\n", "position 1: a bracket without its"),
        (">rna\nGG?\n..?\n", "sequence: "),
        (CT.replace("1 G 0 2 18", "1 G 0 2 17"), "is paired with"),
        ("some words, but no RNA\n", "has no known format of secondary structures; understood are dot-bracket"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rna.txt"
    path.write_text(text)
    target = make_target("test", "rna", SEQUENCE)
    with pytest.raises(InputError, match=words):
        with_secondary_structure(target, path, structure_records(path)[0])


def test_what_is_ignored_or_replaced_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "rna.dbn"
    path.write_text(f"{HELIX}\n{KNOT}\n")
    target = make_target("test", "rna", SEQUENCE, KNOT)
    found = with_secondary_structure(target, path, structure_records(path)[0])
    assert found.secondary_structure == HELIX
    assert any("lines ignored below it: 1" in warning for warning in found.warnings)
    assert "the secondary structure of rna.dbn replaces that beside the sequence" in found.warnings
