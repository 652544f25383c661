"""The page of a run: one file of HTML that has everything inside and loads nothing."""

import re
import struct
import zlib
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from rnagen.report.page.pack import packed, to_integers, unpacked
from rnagen.report.page.record import Record, described, index_row

ASSETS = files("rnagen") / "assets" / "page"
SCRIPTS = ("data.js", "charts.js", "view.js", "section.js", "index.js")
"""In the order in which they need each other."""
COLUMNS = {
    "name": "RNA",
    "length": "nt",
    "conformers": "conformers",
    "confidence": "predicted TM, best",
    "diversity": "mean 1 − TM",
    "clusters": "clusters",
    "clashes": "clashes / 1,000 atoms",
    "templates": "on templates",
    "tm": "TM to reference",
}
"""Heads of the index, by the keys of its rows."""
PARTS = re.compile(
    r'<script type="text/plain" id="data-\d+" data-key="(\w+)">([\w+/=]+)</script>\n'
    r'<script type="text/plain" id="files-\d+">([\w+/=]+)</script>',
    flags=re.ASCII,
)
HASH = 12
"""Characters of a hash that are written."""


@dataclass(frozen=True)
class Part:
    """What the page has of one RNA."""

    row: dict[str, Any]
    """Of the index."""
    data: str
    """Packed header and coordinates."""
    files: str
    """Packed texts of the structure files by name."""
    key: str
    """Hash of what it was made from."""


def part_of(record: Record, scores: dict[str, Any] | None, key: str) -> Part:
    """The part of an RNA.

    Raises:
        OSError: a structure file cannot be read.
    """
    numbers, step = to_integers(record.coords, record.rna.structure.mask)
    row = index_row(record, scores)
    header = {**described(record, scores), "step": step, "row": row}
    texts = {name: path.read_text() for name, path in record.rna.files.items()}
    return Part(row, packed(header, numbers), packed(texts), key)


def parts_of(page: str) -> dict[str, Part]:
    """The parts of a page that was written before, by their keys; those that are damaged are left out."""
    found = {}
    for key, data, files_there in PARTS.findall(page):
        try:
            found[key] = Part(unpacked(data)[0]["row"], data, files_there, key)
        except (ValueError, KeyError, zlib.error, struct.error):
            continue
    return found


@dataclass
class Page:
    """The parts of the page, RNA by RNA; `text` joins them."""

    run: dict[str, Any]
    """run.json."""
    notes: list[str] = field(default_factory=list)
    """What the reader has to know before anything else."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    data: list[str] = field(default_factory=list)

    def add(self, part: Part) -> None:
        """Add an RNA."""
        number = len(self.rows)
        self.rows.append(part.row)
        self.data += [
            f'<script type="text/plain" id="{kind}-{number}"{given}>{text}</script>'
            for kind, given, text in (("data", f' data-key="{part.key}"', part.data), ("files", "", part.files))
        ]

    def text(self) -> str:
        """The whole page."""
        count = len(self.rows)
        title = self.rows[0]["name"] if count == 1 else f"{count} RNAs"
        parts = {
            "title": escape(f"{title} · rnagen"),
            "facts": escape(facts_of(self.run)),
            "notes": "\n".join(f'<p class="note">{escape(note)}</p>' for note in self.notes),
            "index": index_of(self.rows) if count > 1 else "",
            "sections": "\n".join(section_of(number, row) for number, row in enumerate(self.rows)),
            "settings": settings_of(self.run),
            "data": "\n".join(self.data),
            "style": _asset("style.css"),
            "licence": _asset("3Dmol-LICENSE.txt"),
            "viewer": _asset("3Dmol-min.js"),
            "script": "\n".join(_asset(name) for name in SCRIPTS),
        }
        return Template(_asset("page.html")).substitute(parts)


def facts_of(run: dict[str, Any]) -> str:
    """The line below the title."""
    checkpoints, versions = checkpoints_of(run), run.get("versions", {})
    parts = [
        f"Sampled with {' and '.join(one.get('file', 'an unknown checkpoint') for one in checkpoints)}",
        f"training cutoff {max(one.get('cutoff', 'unknown') for one in checkpoints)}",
        f"seed {run['identity'].get('seed', 0)}",
        f"rnagen {versions.get('rnagen', '')}".strip(),
    ]
    return ", ".join(parts) + "."


def checkpoints_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of a run.json; in version 0.1.0 one."""
    return list(run.get("checkpoints") or [run.get("checkpoint", {})])


def index_of(rows: list[dict[str, Any]]) -> str:
    """The table of all RNAs, with columns that any of them has a value for."""
    columns = {key: head for key, head in COLUMNS.items() if any(row[key] is not None for row in rows)}
    heads = "".join(f'<th scope="col"><button type="button">{escape(head)}</button></th>' for head in columns.values())
    lines = [_index_line(number, row, list(columns)) for number, row in enumerate(rows)]
    return (
        '<section class="index"><div class="tools no-print"><label>search <input id="search" type="search" '
        f'placeholder="name"></label><span id="found" class="dim" aria-live="polite">{len(rows)} of {len(rows)}</span>'
        f'</div><div class="scroll"><table id="rnas"><thead><tr>{heads}</tr></thead><tbody>\n'
        + "\n".join(lines)
        + "\n</tbody></table></div></section>"
    )


def _index_line(number: int, row: dict[str, Any], columns: list[str]) -> str:
    cells = []
    for key in columns:
        value = row[key]
        text = "–" if value is None else escape(str(value))
        inside = f'<a href="#rna-{number}">{text}</a>' if key == "name" else text
        kind = ' class="text"' if key == "name" else ""
        cells.append(f'<td{kind} data-value="{"" if value is None else escape(str(value))}">{inside}</td>')
    return f'<tr data-section="rna-{number}">{"".join(cells)}</tr>'


def section_of(number: int, row: dict[str, Any]) -> str:
    """An empty section, which is filled when it is opened."""
    what = escape(f"{row['length']} nt, {row['conformers']} conformer{'s' * (row['conformers'] != 1)}")
    summary = f"<summary>{escape(row['name'])} <span>{what}</span></summary>"
    return f'<details class="rna" id="rna-{number}">{summary}</details>'


def settings_of(run: dict[str, Any]) -> str:
    """Options, checkpoint and versions as a list."""
    parts = []
    named = [("", run.get("identity", {})), *(("checkpoint ", one) for one in checkpoints_of(run))]
    for before, values in [*named, ("version of ", run.get("versions", {}))]:
        for name, value in values.items():
            text = ", ".join(map(str, value)) if isinstance(value, list) else "none" if value is None else str(value)
            text = text[:HASH] if name.endswith("sha256") else text
            parts.append(f"<dt>{escape(before + name.replace('_', ' '))}</dt><dd>{escape(text)}</dd>")
    return f"<dl>{''.join(parts)}</dl>"


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
