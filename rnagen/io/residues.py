"""Residue names and sequence letters: the base of each, and whether it is RNA."""

import re
from functools import cache

_UNKNOWN = "N"

# Free nucleotides, found as ligands and, bonded, at the ends of chains.
_FREE = {
    name: base
    for base, names in {
        "A": "ATP ADP AMP",
        "C": "CTP CDP C5P",
        "G": "GTP GDP GMP 5GP",
        "U": "UTP UDP U5P",
    }.items()
    for name in names.split()
}
# Components of the Protein Data Bank that gemmi's table lacks (2'-fluoro and locked sugars, tRNA bases), by parent.
_MODIFIED = {
    name: base
    for base, names in {
        "A": "A23 A2M A44 AF2 LCA RIA T6A 6IA 12A AVC N79 P5P PPU SRA",
        "C": "5MC C43 CBV CFL CFZ LCC OMC M4C 4AC 10C",
        "G": "G46 G48 GF2 G7M GRB LCG QUO YG YYG XUG PGP 23G O2G G2L",
        "U": "U36 U37 UFT US5 IU SSU S4U 70U TLN LHU U8U UMS ONE B8N 3TD 3AU CM0",
    }.items()
    for name in names.split()
}
# Names of simulation packages: RA, RG5, C3, GN; DC5 for DNA; ADE. gemmi's own table comes first.
_SIMULATION_RNA = re.compile(r"R?([ACGUN])[35N]?")
_SIMULATION_DNA = re.compile(r"D([ACGTUN])[35N]?|(T)[35N]?")
_CHARMM = {"ADE": "A", "CYT": "C", "GUA": "G", "URA": "U", "URI": "U"}
_LETTER_TO_BASE = {"A": "A", "C": "C", "G": "G", "U": "U", "T": "U", "I": "G"}


@cache
def _lookup(name: str) -> tuple[str, str]:
    """(kind: `rna`, `dna`, `free` or ``, parent base) of a component name."""
    # A machine that only trains has no gemmi.
    import gemmi

    name = name.strip().upper()
    info = gemmi.find_tabulated_residue(name)
    if info.found() and info.kind in (gemmi.ResidueKind.RNA, gemmi.ResidueKind.DNA):
        kind = "rna" if info.kind == gemmi.ResidueKind.RNA else "dna"
        return kind, _LETTER_TO_BASE.get(info.one_letter_code.upper(), _UNKNOWN)
    if name in _FREE:
        return "free", _FREE[name]
    if name in _MODIFIED or name in _CHARMM:
        return "rna", _MODIFIED.get(name) or _CHARMM[name]
    if info.found():
        return "", _UNKNOWN
    if match := _SIMULATION_RNA.fullmatch(name):
        return "rna", match[1]
    if match := _SIMULATION_DNA.fullmatch(name):
        return "dna", (match[1] or match[2]).replace("T", "U")
    return "", _UNKNOWN


def parent_base(name: str) -> str:
    """Base (one of `ACGUN`) of a residue or component name: `PSU` -> U, `DT` -> U, `I` -> G; N when it is not known."""
    return _lookup(name)[1]


def is_rna(name: str) -> bool:
    """Whether a component name is a ribonucleotide of a chain; False for DNA, free nucleotides and unknown names."""
    return _lookup(name)[0] == "rna"


def is_dna(name: str) -> bool:
    """Whether a component name is a deoxyribonucleotide."""
    return _lookup(name)[0] == "dna"


_AMBIGUOUS = set("RYSWKMBDHVX")
_MODIFIED_LETTERS = {"I": "G", "P": "U", "Ψ": "U"}
"""Inosine counts as G (its parent component), pseudouridine as U."""
_GAPS = "-.~_"
_OF_PROTEINS = set("EFLQ")
"""Letters of common amino acids that stand for no base."""
_TOKEN = re.compile(r"\((\w+)\)|(\S)")


def _remedy(code: str, text: str) -> str:
    """What to do about a character of a text, both in upper case, that is not a nucleotide."""
    if code in _GAPS:
        return "a gap: remove it; those of an alignment are left out, if all of its rows are of one length"
    if code.isdigit():
        return "a number: remove it"
    letters = [letter for letter in text if letter.isalpha()]
    if sum(letter in _OF_PROTEINS for letter in letters) > max(2, len(letters) / 10):
        return "this looks like a protein: give an RNA"
    return "write A, C, G, U, T, or N for an unknown base"


def clean_sequence(text: str) -> tuple[str, list[str]]:
    """Sequence over `ACGUN`, and a warning for each letter that was changed.

    White space is dropped, lower case raised, T read as U, without a warning. IUPAC ambiguity codes become N; modified
    residues, written as a letter (I, P, Ψ) or as a component in brackets (`GG(5MC)A`), become their parent base. Each
    warning names position (from 1) and code.

    Raises:
        ValueError: the sequence is empty, or a character is not a nucleotide (position and character are named).
    """
    sequence: list[str] = []
    warnings: list[str] = []
    for match in _TOKEN.finditer(text):
        position = len(sequence) + 1
        component, letter = match.groups()
        code = (component or letter).upper()
        if component is not None:
            base = parent_base(code)
        elif code in "ACGUTN":
            sequence.append(code.replace("T", "U"))
            continue
        elif code in _AMBIGUOUS:
            base = _UNKNOWN
        elif code in _MODIFIED_LETTERS:
            base = _MODIFIED_LETTERS[code]
        else:
            raise ValueError(f"position {position}: {letter!r} is not a nucleotide ({_remedy(code, text.upper())})")
        sequence.append(base)
        warnings.append(f"position {position}: {code} read as {base}")
    if not sequence:
        raise ValueError("empty sequence")
    return "".join(sequence), warnings
