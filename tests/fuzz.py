"""Mutated inputs for every reader: `python -m tests.fuzz --inputs 20000`.

Each input is a valid file of some format with a few mutations. A reader may return a result or raise a documented error
(InputError, ConfigError) of at most 500 characters that names the file; anything else, more than 10 s of a processor or
more than 1 GB of memory is a fault.
Faults are printed with their seed, and `--seed SEED --inputs 1` makes the same input again.
"""

import argparse
import gzip
import json
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.config.files import load_config, load_yaml
from rnagen.config.structure import TrainConfig
from rnagen.data.dataset import Dataset
from rnagen.errors import ConfigError, InputError
from rnagen.evaluation.inputs import read_cutoff, read_dates, read_predictions, read_references
from rnagen.io.alignment import read_alignment
from rnagen.io.kaggle import read_sequences
from rnagen.io.labels import read_labels_table
from rnagen.io.pair_matrix import read_pair_matrix
from rnagen.io.read import read_structure_file
from rnagen.io.structure_file import structure_records
from rnagen.io.targets import read_targets
from rnagen.preparation.metadata import read_metadata
from rnagen.preparation.parsed import ParsedCache
from rnagen.preparation.sources import Source
from rnagen.preparation.synthetic import synthetic_dataset, synthetic_rna
from rnagen.submission.rows import rows_of_sample
from rnagen.submission.run import check_file
from rnagen.submission.slots import read_slots
from rnagen.tasks.reactivity.outputs import measured_profiles
from rnagen.templates.files import read_template_files
from rnagen.templates.library import Library, TemplateChain, TemplateInfo
from rnagen.training.state import PARTS, WRITER, read_state
from tests.helpers.binary_cif import structure
from tests.helpers.rna_files import OTHER, SEQUENCE, mmcif, pdb, strand
from tests.helpers.tiny import TINY, tiny_model

LONGEST_MESSAGE = 500
LONGEST_SECONDS = 10
MOST_BYTES = 1 << 30
LARGEST = 1 << 26
"""Bytes of a mutated input, before it is packed: what is read may take some times the size of its file."""

Reader = Callable[[Path], object]


def _labels() -> str:
    atoms = [atom for atom in strand(SEQUENCE) if atom.name == "C1'"]
    rows = [f"9ZZA_A_{a.number},{a.base},{a.number}," + ",".join(f"{x:.3f}" for x in a.xyz * 2) for a in atoms]
    rows += [row.replace("9ZZA", "9ZZB") for row in rows]
    return "\n".join(["ID,resname,resid,x_1,y_1,z_1,x_2,y_2,z_2", *rows]) + "\n"


_STRUCTURE = "((((((......))))))......"
_WHOLE = strand(SEQUENCE)
TEXTS = {
    "pdb": "HEADER    RNA                                     28-JAN-15   4XWF              \n"
    "REVDAT   1   09-SEP-15 4XWF    0\nMODRES 4XWF 5MC A    2    C  PARENT\n"
    "SEQRES   1 A   24    G   C   U   C   G   G   C   G   G   U   G   G   G\n"
    "SEQRES   2 A   24    G   G   A   G   C   A   U   C   U   C   C\n" + pdb(_WHOLE, strand(OTHER, chain="B")),
    "plain pdb": pdb(_WHOLE, strand(OTHER, start=25)),
    "mmcif": mmcif({"A": (SEQUENCE, _WHOLE), "B": (OTHER, strand(OTHER, chain="B"))})
    + "loop_\n_pdbx_audit_revision_history.data_content_type\n_pdbx_audit_revision_history.revision_date\n"
    "'Structure model' 2021-05-01\n",
    "labels": _labels(),
    "sequences": f"target_id,sequence,temporal_cutoff,description\n9ZZA_A,{SEQUENCE},2021-01-01,a\nR1,{OTHER},,b\n",
    "index": "id,release_date,resolution,cluster80,benchmark\n9zza_A,2020-01-01,2.5,3,\n1abc_B,2021-02-03,,-1,casp15\n",
    "fasta": f">a first\n{SEQUENCE}\n{_STRUCTURE} (-5.40)\n>X1.1/12-29 b\n{OTHER}*\n;comment\n",
    "rnafold": f">a\n{SEQUENCE}\n{_STRUCTURE} (-5.40)\n{_STRUCTURE} [ -5.80]\n{_STRUCTURE} {{-5.40 d=1.2}}\n"
    " frequency of mfe structure in ensemble 0.55; ensemble diversity 2.1\n",
    "stockholm": f"# STOCKHOLM 1.0\n#=GF ID x\na/1-24 {SEQUENCE}\nb/1-24 {SEQUENCE[:-1]}-\n"
    f"#=GC SS_cons {_STRUCTURE.replace('(', '<').replace(')', '>')}\n//\n",
    "clustal": f"CLUSTAL W (1.8)\n\na {SEQUENCE} 24\nb {SEQUENCE[:-1]}- 23\n  *** ** *\n",
    "ct": "6 dG = -1 made\n" + "".join(f"{i} G {i - 1} {i + 1} {7 - i} {i}\n" for i in range(1, 7)),
    "bpseq": "# made\n" + "".join(f"{i} G {7 - i}\n" for i in range(1, 7)),
    "a3m": f"#A3M#\n>q\n{SEQUENCE}\n>h\n{SEQUENCE[:5]}aa-{SEQUENCE[6:]}\n",
    "profiles": "sequence_id,sequence,experiment_type,signal_to_noise,SN_filter,reactivity_0001,reactivity_0002\n"
    f"a,{SEQUENCE},1M7_MaP,2.0,1,0.5,0.2\nNA,{OTHER},DMS_MaP,1.5,True,,0.1\n",
    "rdat": f"RDAT_VERSION 0.34\nNAME x\nSEQUENCE {SEQUENCE}\nOFFSET 0\nSEQPOS G1 C2 U3\nANNOTATION modifier:1M7\n"
    "ANNOTATION_DATA:1 datatype:standard\nREACTIVITY:1 0.1 0.2 0.3\nREACTIVITY_ERROR:1 0.1 0.1 0.1\n",
    "shape": "".join(f"{i} {0.1 * i:.2f}\n" for i in range(1, 25)),
    "yaml": "path_type: GVP\ncutoff: 2022-05-27\nembed_dim: 64\nlr: 1e-3\natoms: [P, C1']\ndata: data\n",
    "slots": "bands:\n- {to: 160, slots: [1, 1, small, 2, base]}\n- {to: null, slots: [1, 2, 1, 2, 1]}\n",
    "dot plot": f"%!PS-Adobe-3.0 EPSF-3.0\n/sequence {{ (\\\n{SEQUENCE}\\\n) }} def\n/ubox {{ }} def\n"
    "1 24 0.99 ubox\n2 23 0.95 ubox\n1 24 0.95 lbox\nshowpage\n",
    "run": json.dumps({"identity": {"format": "cif"}, "checkpoint": {"cutoff": "2022-05-27"}}),
}
"""A valid file of each format."""


def _read_through_cache(path: Path) -> object:
    """As `prepare` reads it, where every fault must become a row."""
    with tempfile.TemporaryDirectory() as folder:
        return ParsedCache(Path(folder), "").get(Source(path, path.name))


def _read_profiles(path: Path) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return measured_profiles(path, [SEQUENCE, OTHER], ("1M7_MaP", "DMS_MaP"))


READERS: dict[str, tuple[str, Reader]] = {
    "structures": (".pdb", read_structure_file),
    "prepare": (".cif", _read_through_cache),
    "predictions": (".pdb", read_predictions),
    "references": ("_labels.csv", read_references),
    "labels": (".csv", lambda path: read_labels_table(path, by_chain=True)),
    "labels in prepare": ("_labels.csv", _read_through_cache),
    "sequences": (".csv", read_sequences),
    "metadata": (".csv", lambda path: read_metadata([path])),
    "dates": (".csv", read_dates),
    "targets": (".txt", read_targets),
    "alignment": (".a3m", lambda path: read_alignment(path, SEQUENCE)),
    "profiles": (".csv", _read_profiles),
    "yaml": (".yaml", lambda path: load_config(TrainConfig(), load_yaml(path), str(path))),
    "submission": (".csv", check_file),
    "templates": (".pdb", lambda path: read_template_files([path])),
    "template table": (".csv", lambda path: read_template_files([path])),
    "secondary structure": (".txt", structure_records),
    "pair matrix": (".txt", lambda path: read_pair_matrix(path, SEQUENCE)),
    "sample submission": (".csv", rows_of_sample),
    "slots": (".yaml", lambda path: read_slots(path, ["base", "small"])),
    "run.json": (".json", lambda path: read_cutoff(path.rename(path.with_name("run.json")).parent, None)),
}
"""Suffix that a reader expects, and the reader."""
FITTING = {
    "structures": ("pdb", "plain pdb", "mmcif"),
    "prepare": ("pdb", "plain pdb", "mmcif"),
    "predictions": ("pdb", "mmcif"),
    "references": ("labels",),
    "labels": ("labels",),
    "labels in prepare": ("labels",),
    "sequences": ("sequences", "index"),
    "metadata": ("index",),
    "dates": ("index", "sequences"),
    "targets": ("fasta", "rnafold", "stockholm", "clustal", "ct", "bpseq", "sequences", "profiles"),
    "alignment": ("a3m", "stockholm", "clustal", "fasta"),
    "profiles": ("profiles", "rdat", "shape"),
    "yaml": ("yaml",),
    "submission": ("labels",),
    "templates": ("pdb", "plain pdb", "mmcif"),
    "template table": ("labels",),
    "secondary structure": ("fasta", "rnafold", "stockholm", "ct", "bpseq"),
    "pair matrix": ("dot plot",),
    "sample submission": ("labels",),
    "slots": ("slots",),
    "run.json": ("run",),
}
"""Formats that each reader is made for; one input in eight is of another."""

_PIECES = (
    *(
        "",
        " ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\0",
        ",",
        ";",
        '"',
        "'",
        ">",
        "#",
        "_",
        "-",
        ".",
        "?",
        "*",
        "(",
        ")",
        "[",
        "{",
    ),
    *(
        "nan",
        "inf",
        "-1e18",
        "1e39",
        "1e309",
        "9999.000",
        "********",
        "2147483648",
        "-1",
        "0",
        "5.0",
        "99999999999999999999",
    ),
    *(
        "NA",
        "null",
        "True",
        "2022",
        "1/2/2024",
        "data_",
        "loop_",
        "ATOM",
        "TER",
        "END",
        "MODEL",
        "\ufeff",
        "é",
        "\u2028",
        "🧬",
    ),
    *("9" * 5000, " " * 20000, "(" * 3000, "a" * 3000, "../../x", "[[[[" * 500, "&a [*a]"),
)


def mutated(data: bytes, draw: random.Random) -> bytes:
    """The data after one to six mutations of bytes, lines or cells, and now and then another wrapping."""
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        data = draw.choice(_MUTATIONS)(data, draw)[:LARGEST]
    return draw.choice(_WRAPPINGS)(data, draw) if draw.random() < 0.1 else data


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _flip(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]


def _insert(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(_PIECES).encode() + data[at + draw.choice((0, 0, 1, 4, 8)) :]


def _lines(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    place, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    change = draw.choice(("drop", "repeat", "swap", "shuffle", "blanks"))
    if change == "drop":
        del lines[place]
    elif change == "repeat":
        lines[place:place] = [lines[place]] * draw.choice((1, 3, 200))
    elif change == "swap":
        lines[place], lines[other] = lines[other], lines[place]
    elif change == "shuffle":
        draw.shuffle(lines)
    else:
        lines[place] = draw.choice((b" ", b"\t", b"\n")) * draw.choice((50_000, 1_000_000)) + lines[place]
    return b"\n".join(lines)


def _cells(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    place = draw.randrange(len(lines))
    separator = b"," if b"," in lines[place] else b" "
    cells = lines[place].split(separator)
    cells[draw.randrange(len(cells))] = draw.choice(_PIECES).encode()
    lines[place] = separator.join(cells)
    return b"\n".join(lines)


_MUTATIONS = (_cut, _flip, _insert, _insert, _lines, _lines, _cells, _cells)
_WRAPPINGS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    lambda data, draw: gzip.compress(data),
    lambda data, draw: gzip.compress(data)[: draw.randrange(1, 200)],
    lambda data, draw: gzip.compress(data + b"0" * 80_000_000, 1) if draw.random() < 0.05 else data,
    lambda data, draw: data.decode(errors="replace").encode("utf-16"),
    lambda data, draw: b"\xef\xbb\xbf" + data,
    lambda data, draw: b"PK\x03\x04" + data,
    lambda data, draw: data.replace(b"\n", b"\r"),
)


class Binaries:
    """Weights with their description, a dataset, and BinaryCIF: files that are made once and then mutated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        save_checkpoint(folder / "m.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})
        synthetic_dataset(folder / "data", 3, seed=1)
        self.weights = (folder / "m.safetensors").read_bytes()
        self.described = (folder / "m.json").read_bytes()
        self.dataset = (folder / "data" / "chains.safetensors").read_bytes()
        self.binary_cif = structure(SEQUENCE, _WHOLE)
        chains = [
            TemplateChain.of(synthetic_rna(k, 24), TemplateInfo(f"9zz{k}_A", f"9zz{k}", "2020-01-01")) for k in (1, 2)
        ]
        Library.of(chains).write(folder / "l.safetensors")
        state = {part: kind() for part, kind in PARTS.items()} | {"callbacks": {WRITER: {"best": 0.5}}}
        torch.save(state | {"state_dict": {"a": torch.zeros(3)}}, folder / "s.ckpt")
        np.save(folder / "p.npy", np.zeros((24, 24)))
        self.others = {name: (folder / name).read_bytes() for name in ("l.safetensors", "s.ckpt", "p.npy")}

    def read(self, which: str, draw: random.Random) -> Any:
        """Mutate one part and read the whole."""
        if which == "dataset":
            (self.folder / "d.safetensors").write_bytes(mutated(self.dataset, draw))
            return Dataset.open(self.folder / "d.safetensors")
        if which == "BinaryCIF":
            (self.folder / "x.bcif").write_bytes(mutated(self.binary_cif, draw))
            return read_structure_file(self.folder / "x.bcif")
        if which in OTHERS:
            name, reader = OTHERS[which]
            (self.folder / name).write_bytes(mutated(self.others[name], draw))
            return reader(self.folder / name)
        weights = mutated(self.weights, draw) if which == "weights" else self.weights
        described = mutated(self.described, draw) if which == "description" else self.described
        (self.folder / "m.safetensors").write_bytes(weights)
        (self.folder / "m.json").write_bytes(described)
        return load_checkpoint(self.folder / "m.safetensors")


OTHERS: dict[str, tuple[str, Reader]] = {
    "library": ("l.safetensors", Library.open),
    "training state": ("s.ckpt", read_state),
    "pair array": ("p.npy", lambda path: read_pair_matrix(path, SEQUENCE)),
}
"""Files of one part, and their readers."""
BINARY = ("weights", "description", "dataset", "BinaryCIF", *OTHERS)


def one_input(seed: int, folder: Path, binaries: Binaries) -> tuple[str, str]:
    """(reader, what it did with the input of this seed): `result`, `error`, or a fault."""
    draw = random.Random(seed)
    name = draw.choice((*READERS, *BINARY))
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)
    try:
        if name in BINARY:
            binaries.read(name, draw)
        else:
            _read_one(name, draw, folder)
        outcome = "result"
    except (InputError, ConfigError) as error:
        outcome = "error"
        if len(str(error)) > LONGEST_MESSAGE:
            outcome = f"a message of {len(str(error))} characters: {str(error)[:120]}…"
        elif not any(place.name in str(error) for place in (folder, binaries.folder)):
            outcome = f"a message that does not name its file: {error}"
    except Exception as error:
        outcome = f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = time.process_time() - started
    return name, outcome if seconds < LONGEST_SECONDS else f"{seconds:.1f} s"


def _read_one(name: str, draw: random.Random, folder: Path) -> None:
    suffix, reader = READERS[name]
    kind = draw.choice(FITTING[name] if draw.random() < 7 / 8 else tuple(TEXTS))
    path = folder / f"x{suffix}"
    path.write_bytes(mutated(TEXTS[kind].encode(), draw))
    try:
        reader(path)
    finally:
        for file in folder.iterdir():
            file.unlink()


def _too_long(number: int, frame: object) -> None:
    raise TimeoutError(f"more than {LONGEST_SECONDS} s")


def run(inputs: int, first_seed: int) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Counts by (reader, result or error), and the faults."""
    signal.signal(signal.SIGPROF, _too_long)
    counts: Counter[tuple[str, str]] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as text_folder, tempfile.TemporaryDirectory() as binary_folder:
        binaries = Binaries(Path(binary_folder))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        for seed in range(first_seed, first_seed + inputs):
            name, outcome = one_input(seed, Path(text_folder), binaries)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if peak - before > MOST_BYTES:
                outcome, before = f"{(peak - before) / 1e9:.1f} GB of memory", peak
            if outcome not in ("result", "error"):
                faults.append(f"seed {seed}: {name}: {outcome}")
                outcome = "fault"
            counts[name, outcome] += 1
    return counts, faults


def main(arguments: Sequence[str]) -> int:
    """Fuzz, print the table; 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first input; the others follow")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    counts, faults = run(options.inputs, options.seed)
    print(f"seeds {options.seed} to {options.seed + options.inputs - 1}, {time.monotonic() - started:.0f} s")
    print(f"{'reader':<20}{'result':>8}{'error':>8}{'fault':>8}")
    for name in (*READERS, *BINARY):
        print(f"{name:<20}" + "".join(f"{counts[name, outcome]:>8}" for outcome in ("result", "error", "fault")))
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
