"""What a run wrote."""

from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """Files that must not differ between equal runs (a summary holds the time it took)."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "summary.json"
    }
