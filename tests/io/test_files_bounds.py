"""What a small file may ask for: bombs of every kind are refused before they have grown."""

import bz2
import gzip
import lzma
import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rnagen.errors import InputError
from rnagen.io import atoms, files, reactivity_conversion, records, tables
from rnagen.io.files import MINIMUM_LIMIT, expansion_limit, read_bytes
from rnagen.io.pair_matrix import read_pair_matrix
from rnagen.io.profiles import Profile, profile_table
from rnagen.io.reactivity_table import ReactivityTable
from rnagen.io.read import read_structures
from rnagen.io.tables import read_table
from rnagen.io.targets import read_targets
from tests.helpers.profiles import make_profiles, write_profiles
from tests.helpers.rna_files import SEQUENCE, pdb, strand


def zeros(size: int) -> bytes:
    """gzip of so many zeros, made of one small member many times."""
    return gzip.compress(b"0" * (1 << 20), mtime=0) * (size >> 20)


def test_a_gzip_bomb_is_refused_before_it_is_whole(tmp_path: Path) -> None:
    """256 MB in 250 kB: a ratio of 1,000. Memory stays near what a file of this size may hold."""
    (tmp_path / "bomb").write_bytes(zeros(1 << 28))
    limit = expansion_limit((tmp_path / "bomb").stat().st_size)
    assert limit < 1 << 27
    tracemalloc.start()
    with pytest.raises(InputError, match=r"bomb: gzip that expands to more than \d+ MB: refused"):
        read_bytes(tmp_path / "bomb")
    assert tracemalloc.get_traced_memory()[1] < 1.2 * limit
    tracemalloc.stop()


def test_two_layers_of_gzip_have_the_limit_of_one(tmp_path: Path) -> None:
    """What would be 256 MB of the first layer's 250 kB is more than the few kB of the file may hold."""
    (tmp_path / "bomb").write_bytes(gzip.compress(zeros(1 << 28)))
    assert (tmp_path / "bomb").stat().st_size < 10_000
    with pytest.raises(InputError, match="gzip that expands to more than 67 MB: refused"):
        read_bytes(tmp_path / "bomb")
    (tmp_path / "good").write_bytes(gzip.compress(gzip.compress(b"data")))
    assert read_bytes(tmp_path / "good") == b"data"


def test_the_limit_grows_with_the_file_and_ends() -> None:
    assert expansion_limit(1) == MINIMUM_LIMIT
    assert expansion_limit(1 << 20) == 200 << 20
    assert expansion_limit(1 << 40) == files.MAXIMUM_FILE


@pytest.mark.parametrize("kind", ["bzip2", "xz", "zip"])
def test_other_archives_are_not_opened(tmp_path: Path, kind: str) -> None:
    path, data = tmp_path / "x", b"0" * 1_000_000
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.cif", data)
    else:
        path.write_bytes({"bzip2": bz2, "xz": lzma}[kind].compress(data))
    with pytest.raises(InputError, match=rf"is a {kind} .*: unpack it first"):
        read_bytes(path)


def test_a_file_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(InputError, match="is a device, not a file"):
            read_bytes(Path(device))
    monkeypatch.setattr(files, "MAXIMUM_FILE", 1000)
    (tmp_path / "x").write_bytes(b"x" * 1001)
    with pytest.raises(InputError, match=r"is larger than .* GiB: split it"):
        read_bytes(tmp_path / "x")


def test_a_pipe_is_a_file() -> None:
    """As of `--fasta <(zcat all.fasta.gz)`."""
    readable, writable = os.pipe()
    os.write(writable, b">a\nGGG\n")
    os.close(writable)
    assert read_bytes(Path(f"/dev/fd/{readable}")) == b">a\nGGG\n"
    os.close(readable)


def test_lines_and_rows_have_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_LINES", 10)
    (tmp_path / "a.fasta").write_text(">a\nG\n" * 5)
    with pytest.raises(InputError, match="has more than 10 lines: split it"):
        read_targets(tmp_path / "a.fasta")
    monkeypatch.setattr(tables, "MOST_ROWS", 10)
    (tmp_path / "a.csv").write_text("id,sequence\n" + "a,G\n" * 10)
    assert len(read_table(tmp_path / "a.csv").rows) == 10
    (tmp_path / "a.csv").write_text("id,sequence\n" + "a,G\n" * 11)
    with pytest.raises(InputError, match="has more than 10 rows: split it"):
        read_table(tmp_path / "a.csv")


def test_models_of_many_residues_that_lie_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A residue is declared in 4 bytes and a model in 30, but each residue of each model has 27 places for atoms."""
    one = pdb(strand(SEQUENCE)).replace("END\n", "")
    models = "".join(f"MODEL     {k:4d}\n{one}ENDMDL\n" for k in range(1, 4))
    (tmp_path / "x.pdb").write_text(models + "END\n")
    assert read_structures(tmp_path / "x.pdb")[0].num_models == 3
    monkeypatch.setattr(atoms, "MOST_RESIDUES", 3 * len(SEQUENCE) - 1)
    with pytest.raises(InputError, match=r"chain A: 3 models of 24 residues: at most 71 .* split the models"):
        read_structures(tmp_path / "x.pdb")


def test_the_shape_of_an_array_is_not_believed(tmp_path: Path) -> None:
    """A header of a few bytes that claims a petabyte; and one that asks to be unpickled."""
    np.save(tmp_path / "a.npy", np.zeros((3, 3)))
    data = (tmp_path / "a.npy").read_bytes()
    for shape in (b"(9999999, 9999999), }", b"(3, 3, ", b"(3, 3), 0x}", b"(__import__, 3), }"):
        (tmp_path / "a.npy").write_bytes(data.replace(b"(3, 3), }".ljust(len(shape)), shape))
        with pytest.raises(InputError, match="cannot be read as a NumPy array"):
            read_pair_matrix(tmp_path / "a.npy", "GGG")
    np.save(tmp_path / "b.npy", np.array([print]), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as a NumPy array"):
        read_pair_matrix(tmp_path / "b.npy", "G")


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz", "gzipped.csv"])
def test_profiles_that_expand_are_refused_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = write_profiles(make_profiles(), tmp_path / name)
    if name == "gzipped.csv":
        path.write_bytes(gzip.compress(path.read_bytes()))
        monkeypatch.setattr(reactivity_conversion, "MAXIMUM_FILE", 10)
    monkeypatch.setattr(reactivity_conversion, "MINIMUM_CONVERTED", 10)
    monkeypatch.setattr(reactivity_conversion, "MAXIMUM_EXPANSION", 0)
    with pytest.raises(InputError, match="expands to more than a table of its size holds"):
        ReactivityTable.open(path, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.arrow"))


def test_one_long_profile_among_many() -> None:
    short, long = np.zeros(1, dtype=np.float32), np.zeros(1 << 18, dtype=np.float32)
    many = [Profile("a", "G", "1M7", long)] + [Profile("b", "G", "1M7", short)] * (1 << 10)
    with pytest.raises(ValueError, match="1025 profiles of up to 262144 values are too many"):
        profile_table(many)
