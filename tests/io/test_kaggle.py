from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rnagen.errors import InputError
from rnagen.io.kaggle import read_sequences, write_labels, write_submission
from rnagen.io.labels import read_labels
from rnagen.io.targets import read_targets
from rnagen.structure import BEADS, RNAStructure


def structure(name: str, sequence: str, xyz: np.ndarray, mask: np.ndarray | None = None) -> RNAStructure:
    """C1' only; xyz [M, L, 3]."""
    mask = np.ones(xyz.shape[:2], dtype=bool) if mask is None else mask
    coords = np.where(mask[..., None], xyz, 0).astype(np.float32)[:, :, None]
    return RNAStructure(name, sequence, coords, mask[:, :, None], atoms=("C1'",))


@st.composite
def records(draw: st.DrawFn) -> tuple[str, str, np.ndarray]:
    """Name, sequence and five models of coordinates."""
    sequence = draw(st.text("ACGUN", min_size=1, max_size=12))
    numbers = st.floats(-999, 9998, width=32).map(lambda x: x or 1.0)  # several zeros are unknown
    xyz = draw(arrays(np.float32, (5, len(sequence), 3), elements=numbers))
    return draw(st.text("ABR019_", min_size=1, max_size=8)), sequence, xyz


anywhere = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


@anywhere
@given(st.lists(records(), min_size=1, max_size=3, unique_by=lambda record: record[0]))
def test_submission_round_trip(tmp_path: Path, sampled: list[tuple[str, str, np.ndarray]]) -> None:
    written = [structure(*record) for record in sampled]
    write_submission(tmp_path / "s.csv", written)
    read = read_labels(tmp_path / "s.csv")
    assert [s.name for s in read] == [s.name for s in written]
    for a, b in zip(read, written):
        assert a.sequence == b.sequence
        assert a.mask.all()
        np.testing.assert_allclose(a.coords, b.coords, atol=1e-3)
        np.testing.assert_array_equal(a.residue_index, b.residue_index)


def test_submission_layout(tmp_path: Path) -> None:
    write_submission(tmp_path / "s.csv", [structure("R1", "GU", np.arange(12).reshape(2, 2, 3) / 8)], n=2)
    assert (tmp_path / "s.csv").read_text().splitlines() == [
        "ID,resname,resid,x_1,y_1,z_1,x_2,y_2,z_2",
        "R1_1,G,1,0.000,0.125,0.250,0.750,0.875,1.000",
        "R1_2,U,2,0.375,0.500,0.625,1.125,1.250,1.375",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["s.csv"]


def test_labels_round_trip_keeps_what_is_missing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(3, 4, 3)) * 50
    mask = np.array([[1, 1, 0, 1], [1, 0, 0, 1], [0, 0, 1, 0]], dtype=bool)
    write_labels(tmp_path / "l.csv", [structure("a", "GGCA", xyz, mask), structure("b", "AC", xyz[:1, :2])])
    a, b = read_labels(tmp_path / "l.csv")
    np.testing.assert_array_equal(a.mask[:, :, 0], mask)
    np.testing.assert_allclose(a.coords[a.mask], xyz[mask], atol=1e-3)
    assert (b.num_models, len(b)) == (1, 2)


def test_every_mark_of_a_missing_coordinate(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(
        "ID,resname,resid,x_1,y_1,z_1,x_2,y_2,z_2,x_3,y_3,z_3\n"
        "1A60_B_3,g,3,1,2,3,-1e18,-1e18,-1e18,-1e18,-1e18,-1e18\n"
        "1A60_B_1,T,1,4,,6,7,8,9,nan,nan,nan\n"
        "1A60_B_2,X,2,-2000000,0,0,7,8,9,,,\n"
        "gone_1,A,1,,,,,,,,,\n"
    )
    one, gone = read_labels(tmp_path / "l.csv")
    assert (one.name, one.entry, one.chain, one.sequence) == ("1A60_B", "1a60", "B", "UNG")
    np.testing.assert_array_equal(one.residue_index, [1, 2, 3])
    np.testing.assert_array_equal(one.mask[:, :, 0], [[False, False, True], [True, True, False]])
    assert (one.coords[~one.mask] == 0).all()
    assert one.coords[0, 2, 0].tolist() == [1, 2, 3]
    assert (gone.num_models, gone.mask.any(), gone.entry) == (1, False, "")


HEAD = "ID,resname,resid,x_1,y_1,z_1\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty file"),
        (HEAD, "has no record"),
        ("ID,resname,resid,x_1,y_1\na_1,A,1,0,0\n", "no column z_1"),
        ("ID,resname,resid,x_1,y_1,z_1,x_2\na_1,A,1,0,0,0,0\n", "no column y_2, z_2"),
        (HEAD + "a_1,A,1,0,0\n", "a_1: 5 fields under 6 columns"),
        (HEAD + "a_1,A,1,0,0,zero\n", "a_1: 'zero' is not a coordinate"),
        (HEAD + "a_1,A,one,0,0,0\n", "a_1: residue number 'one' is not an integer"),
        (HEAD + "a_1,A,1,0,0,0\na_1,A,1,0,0,1\n", "residue 1 is given twice"),
        (HEAD + "a_1,Q,1,0,0,0\n", "residue name 'Q'"),
        (HEAD + "a_1,AC,1,0,0,0\n", "not one letter"),
        (HEAD + "a,A,1,0,0,0\n", r"is not an ID \(target id"),
        (HEAD + 'a_1,"A,1,0,0,0\n', "CSV"),
    ],
)
def test_bad_labels(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_labels(tmp_path / "l.csv")


XYZ = np.zeros((5, 3, 3))
WITH_NAN = np.where(np.arange(45).reshape(5, 3, 3) == 9, np.nan, XYZ)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (structure("a", "GGG", XYZ, np.arange(15).reshape(5, 3) != 4), "residue 2 of model 2 has no C1'"),
        (structure("a", "GGG", WITH_NAN), "residue 1 of model 2 are not finite"),
        (structure("a", "GGG", XYZ - 1000), "range of the PDB"),
        (structure("a", "GGG", XYZ + 1e5), "range of the PDB"),
        (structure("a", "GGG", XYZ[:4]), "4 models, 5 are needed"),
        (RNAStructure("a", "G", np.zeros((5, 1, 1, 3), np.float32), np.ones((5, 1, 1), bool), atoms=("P",)), "no C1'"),
        (structure("good", "GGG", XYZ), "two structures have this name"),
    ],
)  # fmt: skip
def test_bad_submissions_leave_the_old_file_alone(tmp_path: Path, bad: RNAStructure, reason: str) -> None:
    (tmp_path / "s.csv").write_text("old")
    with pytest.raises(InputError, match=reason):
        write_submission(tmp_path / "s.csv", [structure("good", "GGG", XYZ), bad])
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("s.csv", "old")]


def test_submission_from_beads_takes_c1(tmp_path: Path) -> None:
    coords = np.random.default_rng(0).normal(size=(1, 2, 4, 3)).astype(np.float32)
    beads = RNAStructure("a", "GU", coords, np.ones((1, 2, 4), dtype=bool), atoms=BEADS)
    write_submission(tmp_path / "s.csv", [beads], n=1)
    (read,) = read_labels(tmp_path / "s.csv")
    np.testing.assert_allclose(read.coords[:, :, 0], coords[:, :, 2], atol=1e-3)


def test_sequences_with_fields_over_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text(
        "target_id,sequence,temporal_cutoff,description,all_sequences\n"
        f'R1,GGA,2022-05-28,"a ribozyme\nof man",">x\n{"A" * 200_000}"\n'
        'R2,"CC, ",2021-01-01,,\n'
    )
    first, second = read_sequences(path)
    assert (first.name, first.sequence, first.temporal_cutoff) == ("R1", "GGA", "2022-05-28")
    assert first.description == "a ribozyme of man"
    assert (second.sequence, second.description) == ("CC,", "")


@pytest.mark.data
def test_the_competition_tables(shared_data: Path) -> None:
    tables = shared_data / "kaggle"
    assert [len(read_sequences(tables / f"{n}_sequences.csv")) for n in ("train", "validation", "test")] == [
        682,
        12,
        12,
    ]
    labels = read_labels(tables / "validation_labels.csv")
    assert (len(labels), sum(map(len, labels)), max(s.num_models for s in labels)) == (12, 2515, 40)
    assert [s.sequence for s in labels] == [r.sequence for r in read_sequences(tables / "validation_sequences.csv")]
    assert all(np.abs(s.coords).max() < 10_000 for s in labels)
    train = read_labels(tables / "train_labels.csv")
    assert (len(train), sum(s.num_models for s in train)) == (682, 682)


def test_a_split_of_rnagen_is_a_table_of_sequences(tmp_path):
    path = tmp_path / "val.csv"
    path.write_text("id,sequence,release_date,cluster,length\n1abc_A,GGAAACC,2023-01-01,4,7\n")
    assert [(r.name, r.sequence) for r in read_sequences(path)] == [("1abc_A", "GGAAACC")]
    targets, errors = read_targets(path)
    assert not errors
    assert [(t.name, t.sequence) for t in targets] == [("1abc_A", "GGAAACC")]
