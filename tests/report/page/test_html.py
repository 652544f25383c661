"""The page has all RNAs, their data and their files; nothing in a name acts; nothing is loaded."""

import json
import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from rnagen.io.read import read_structures
from rnagen.report.page.html import ASSETS, COLUMNS, facts_of, index_of, parts_of, section_of, settings_of
from rnagen.report.page.pack import unpacked
from tests.report.page.conftest import NAMES

LARGEST = 900_000
"""Bytes of the page of three short RNAs; 540,000 are the viewer."""


class Reader(HTMLParser):
    """Tags with their attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str | None, str] = {}
        self._script: str | None = None
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script, self._script = tag == "script", dict(attrs).get("id")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text()


def test_every_rna_has_a_row_a_section_and_its_data(run_folder: Path) -> None:
    text = page_of(run_folder)
    reader = Reader(text)
    entries = json.loads((run_folder / "run.json").read_text())["targets"]
    for number, (name, entry) in enumerate(zip(NAMES, entries, strict=True)):
        assert f'<a href="#rna-{number}">{escape(name)}</a>' in text
        assert f'id="rna-{number}"><summary>{escape(name)} <span>' in text
        header, numbers = unpacked(reader.scripts[f"data-{number}"])
        assert (header["name"], header["n"], len(header["pairs"])) == (name, 3, 3)
        assert numbers.size == 3 * header["length"] * len(header["atoms"]) * 3
        files, _ = unpacked(reader.scripts[f"files-{number}"])
        assert files == {path.name: path.read_text() for path in (run_folder / entry["folder"]).glob("*.cif")}


def test_coordinates_are_those_of_the_files_moved(run_folder: Path) -> None:
    header, numbers = unpacked(Reader(page_of(run_folder)).scripts["data-1"])
    coords = numbers.reshape(3, header["length"], -1, 3) * header["step"]
    c1 = coords[:, :, header["atoms"].index("C1'")]
    (structure,) = read_structures(run_folder / "_a&b'" / "ensemble.cif")
    true = structure.select_atoms(("C1'",)).coords[:, :, 0]
    for mine, theirs in zip(c1, true, strict=True):
        found, wanted = (np.linalg.norm(one[:, None] - one, axis=-1) for one in (mine, theirs))
        np.testing.assert_allclose(found, wanted, atol=0.03)
        # Not a mirror image.
        hands = [np.linalg.det(one[[0, 4, 8]] - one[11]) for one in (mine, theirs)]
        np.testing.assert_allclose(*hands, rtol=0.02, atol=2)


def test_names_do_not_act(run_folder: Path) -> None:
    reader = Reader(page_of(run_folder))
    assert "alert" not in reader.scripts.get(None, "")
    assert {one.get("id") for tag, one in reader.tags if tag == "script"} == {
        *(f"{kind}-{number}" for kind in ("data", "files") for number in range(3)),
        *("viewer-licence", "viewer-code", None),
    }
    assert not [one for _, one in reader.tags if any(name.startswith("on") for name in one)]
    assert "${title}" in page_of(run_folder)


def test_values_of_a_strangers_run_do_not_act() -> None:
    """run.json and the parts of a page that is there may come from anybody: whatever they hold is text."""
    evil = "</script><img src=x onerror=alert(1)>'\""
    row = dict.fromkeys(COLUMNS, evil)
    run = {
        part: {evil: evil, "file": evil, "seed": evil, "list": [evil]}
        for part in ("identity", "checkpoint", "versions")
    }
    texts = [index_of([row, row]), section_of(0, row), settings_of(run), escape(facts_of(run))]
    for text in texts:
        assert evil not in text
        assert not {"img", "script"} & {tag for tag, _ in Reader(text).tags}
        assert all("onerror" not in attributes for _, attributes in Reader(text).tags)
    assert "onerror" in "".join(texts)


def test_nothing_is_loaded(run_folder: Path) -> None:
    text = page_of(run_folder)
    viewer = (ASSETS / "3Dmol-min.js").read_text()
    licence = (ASSETS / "3Dmol-LICENSE.txt").read_text()
    assert viewer in text
    assert "University of Pittsburgh" in licence
    assert licence in text
    own = text.replace(viewer, "").replace(licence, "")
    assert not re.findall(r"(?<!\w)(?:https?|ftp|wss?):|url\(|@import|import\(|fetch\(|XMLHttp", own)
    reader = Reader(text)
    assert not [one for _, one in reader.tags if "src" in one or (one.get("href") or "#")[0] != "#"]
    (policy,) = [one["content"] for tag, one in reader.tags if tag == "meta" and "http-equiv" in one]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "connect-src 'none'" in policy


def test_the_scripts_end_no_script() -> None:
    for file in ASSETS.iterdir():
        if file.name.endswith(".js"):
            assert not re.search(r"</script|<!--", file.read_text(), flags=re.IGNORECASE), file


def test_the_page_and_the_viewer_are_small(run_folder: Path) -> None:
    assert (run_folder / "report.html").stat().st_size < LARGEST
    assert len((ASSETS / "3Dmol-min.js").read_bytes()) < 700_000


def test_parts_are_found_again(run_folder: Path) -> None:
    text = page_of(run_folder)
    parts = parts_of(text)
    assert [part.row["name"] for part in parts.values()] == list(NAMES)
    damaged = text.replace('data-key="', 'data-key="0', 1).replace(next(iter(parts.values())).data[:40], "AAAA", 1)
    assert len(parts_of(damaged)) == 2


def test_a_run_without_a_checkpoint_has_facts() -> None:
    assert "an unknown checkpoint" in facts_of({"identity": {}})
