"""The plane drawing has each residue and each pair."""

import xml.etree.ElementTree as ET

from rnagen.report.page.diagram import blue, diagram
from rnagen.report.page.pairs import plane_pairs

SEQUENCE = "GGGGCUUCGGCCCC"


def test_residues_and_pairs() -> None:
    plane = plane_pairs({"sequence": SEQUENCE})
    root = ET.fromstring(diagram(SEQUENCE, plane, {(0, 13): 1.0, (5, 8): 0.7, (6, 9): 0.2}))
    assert [one.get("class") for one in root.iter("circle")] == list(SEQUENCE)
    assert len(list(root.iter("line"))) == 5
    assert [one.find("title").text for one in root.iter("path")] == ["6-9: in 70% of the conformers"]


def test_a_file_has_its_name_space_and_a_page_no_address() -> None:
    plane = plane_pairs({"sequence": SEQUENCE})
    assert "http" not in diagram(SEQUENCE, plane, {})
    assert diagram(SEQUENCE, plane, {}, standalone=True).startswith('<svg xmlns="http://www.w3.org/2000/svg" width=')


def test_strands_are_lines_of_their_own() -> None:
    plane = plane_pairs({"sequence": "GGGGC&GCCCC"})
    assert diagram("GGGGCGCCCC", plane, {}, (5, 5)).count("<polyline") == 2


def test_colours() -> None:
    assert (blue(0.0), blue(1.0), blue(2.0)) == ("#c8c8cd", "#1446a0", "#1446a0")
