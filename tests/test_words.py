"""One word, one meaning: words that docs/glossary.md has replaced are gone from the package and the documents."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = ("rnagen", "docs", "configs", "runs", "README.md", "CONTRIBUTING.md")
RETIRED = {
    "judge": r"\bjudg(e|es|ed|ing)\b",
    "overlay": r"\boverlay",
    "floor": r"\bfloors?\b(?!\()",
    "told": r"\btold\b",
    "said": r"\bsaid\b",
    "says": r"\bsays\b",
    "shown": r"\bshown\b",
    "hidden": r"\bhidden\b",
    "kept": r"\bkept\b",
    "trusted": r"\btrusted\b",
    "evidence": r"\bevidence\b",
    "partner": r"\bpartners?\b",
    "folds": r"\bfolds\b",
    "pool": r"\bpool(s|ing)?\b",
    "gate": r"\bgates?\b",
    "resident": r"\bresident\b",
    "draws": r"\bdraws\b",
    "drawn": r"\bdrawn\b",
    "is no": r"(?<!\bthere )\bis no (?!longer\b)",
    "that is none": r"\bthat (is|are) none\b",
}
ALLOWED = (
    # Neural networks have hidden layers and gates.
    (
        r"^rnagen/(model|config)/",
        r"[Hh]idden (width|layer|size|unit|state)s?|hidden_(size|states|act|dropout_prob)|num_hidden_layers",
    ),
    (r"^rnagen/model/blocks\.py", r"\bhidden\b"),
    (r"^rnagen/model/", r"\b[Gg]ates?\b|\"gate\"|\.gate\b"),
    (r"^rnagen/config/(structure|encoder).py", r"2/3 because a gate|2/3 for the gate"),
    # Names of options of earlier versions, which are still understood.
    (r"^rnagen/config/files\.py", r"\"(evidence|evidence_dropout|fold|folds|pool|floors|drawn)\""),
    (r"^docs/", r"[Rr]ight fold|wrong fold|same fold"),
    # The module of the date filter of templates.
    # PyTorch's memory pools and multiprocessing's pool of workers.
    (r"^runs/bare_gpu/", r"graph\.pool\(\)|\bpool=|\.Pool\(|: pool:"),
    # What a model folds, and the shapes of structures.
    (r"", r"(mostly wrong|these|its|their|right|learn to|and|do its) folds\b"),
)


def files() -> list[Path]:
    found = []
    for place in PLACES:
        path = ROOT / place
        found += (
            [path] if path.is_file() else [p for p in path.rglob("*") if p.suffix in (".py", ".md", ".yaml", ".sh")]
        )
    return sorted(found)


def retired_words() -> list[str]:
    found = []
    for path in files():
        name = str(path.relative_to(ROOT))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text = line
            for where, allowed in ALLOWED:
                if re.search(where, name):
                    text = re.sub(allowed, "", text)
            found += [
                f"{name}:{number}: {word}: {line.strip()}"
                for word, pattern in RETIRED.items()
                if re.search(pattern, text, flags=re.IGNORECASE)
            ]
    return found


def test_retired_words_are_gone() -> None:
    found = retired_words()
    assert not found, f"{len(found)}\n" + "\n".join(found)
