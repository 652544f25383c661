"""The folder of a run: claimed by one process at a time, resumed by the same run, refused where it holds another."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rnagen.errors import ConfigError, InputError
from rnagen.io.files import LOCK, lock_folder, read_json, write_text
from rnagen.io.folders import may_hold, safe_name
from rnagen.io.temporary import TEMPORARY
from rnagen.messages import one_line, quoted

RUN = "run.json"
SUBMISSION = "submission.csv"
RANKING = "ranking.csv"
SUMMARY = "summary.json"
"""Written last into the folder of a target: one with it is complete."""
UNFINISHED = ".part"
"""Suffix of a folder that is being written; a killed process leaves it behind."""
FORMER = ".former"
"""Suffix of a folder in whose place another is put; a killed process leaves it behind."""
WORDS_FOR_HASHES = {
    "targets_sha256": "the RNAs (their names, sequences, secondary structures or alignments)",
    "checkpoints_sha256": "ckpt (the weights)",
    "guide_sha256": "guide_ckpt (the weights)",
    "confidence_sha256": "the confidence model beside the weights",
    "templates_sha256": "the template library, or files of templates, drafts, fixed parts or states",
}
"""What differs between two runs if one of their hashes does."""
REMEDY = "choose another --out"
Join = Callable[[dict[str, Any]], dict[str, Any]]
"""run.json as it is in a folder -> as this run needs it; raises ConfigError where that cannot be."""


@contextmanager
def claimed(folder: Path, run: dict[str, Any], join: Join | None = None) -> Iterator[None]:
    """Be the only process that writes to the folder of a run, until the block ends.

    What a killed process left half written is removed.

    Args:
        folder: made if needed.
        run: run.json of a new folder.
        join: what becomes of the run.json that is there; by default it stays, and must have the same identity.

    Raises:
        ConfigError: another process writes to it, or it holds something else, or a run that this one cannot join; names
            the difference.
        InputError: its run.json cannot be read.
        OSError: the folder cannot be written.
    """

    def same(found: dict[str, Any]) -> dict[str, Any]:
        refuse_difference(folder, found, run)
        return found

    # Before the lock, which would leave its file in a folder that is not ours; and again when nobody can change it.
    described(folder)
    with lock_folder(folder):
        found = described(folder)
        # First: what is put back is finished.
        for leftover in _leftovers(folder):
            put_back(leftover) if leftover.name.endswith(FORMER) else remove(leftover)
        wanted = run if found is None else (join or same)(found)
        if wanted != found:
            write_description(folder, wanted)
        yield


def refuse_difference(folder: Path, found: dict[str, Any], run: dict[str, Any], remedy: str = REMEDY) -> None:
    """Refuse the run of a folder where its identity is another.

    Raises:
        ConfigError: names each option that differs, both values, and the remedy.
    """
    old, new = found["identity"], run["identity"]
    refuse_other_task(folder, found, run)
    different = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    if different:
        parts = [
            f"{WORDS_FOR_HASHES[key]}: not the same"
            if key in WORDS_FOR_HASHES
            else f"{key}: {old.get(key)!r} there, {new.get(key)!r} now"
            for key in different
        ]
        raise ConfigError(f"{folder} has a run with other options ({'; '.join(parts)}): {remedy}")


def refuse_other_task(folder: Path, found: dict[str, Any], run: dict[str, Any]) -> None:
    """Refuse a folder whose run is not of the same command.

    Raises:
        ConfigError: names the command.
    """
    task = found["identity"].get("task", "sample")
    if task != run["identity"].get("task", "sample"):
        raise ConfigError(f"{folder} has a run of rnagen {task}; {REMEDY}")


def places_of(folder: Path, run: dict[str, Any]) -> dict[str, str]:
    """The folder of each RNA of a run, by name: as its run.json has them; where that lists none, as in version 0.1.0,
    those with a summary of rnagen that names them. Other folders are not of the run, whatever is in them."""
    targets = run.get("targets")
    if isinstance(targets, list) and all(map(_is_entry, targets)):
        return {one["name"]: one["folder"] for one in targets}
    found = {}
    for path in sorted(folder.glob(f"*/{SUMMARY}")):
        name, place = _summarized(path), path.parent.name
        if name is not None and may_hold(place, name):
            found[name] = place
    return found


def _is_entry(one: Any) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("name", "folder"))


def _summarized(path: Path) -> str | None:
    """The name in the summary of an RNA; None where the file is something else."""
    try:
        summary = read_json(path)
    except InputError:
        return None
    name = summary.get("name")
    return name if isinstance(name, str) and {"sequence", "geometry"} <= summary.keys() else None


def any_finished(folder: Path, run: dict[str, Any]) -> bool:
    """Whether an RNA of a run is finished. Before, nothing depends on the options of the run."""
    return any((folder / place / SUMMARY).is_file() for place in places_of(folder, run).values())


def refuse_strange_places(folder: Path, run: dict[str, Any], found: dict[str, Any]) -> None:
    """Refuse a run whose RNAs would take the place of what was not written by the run that is there.

    Raises:
        ConfigError: names the RNA and what has its name.
    """
    ours = set(places_of(folder, found).values())
    for entry in run["targets"]:
        place = folder / entry["folder"]
        if entry["folder"] not in ours and os.path.lexists(place):
            name = one_line(entry["name"], 60)
            raise ConfigError(f"{place} is in the place of {name}, and not of this run: move it, or {REMEDY}")


def write_description(folder: Path, run: dict[str, Any]) -> None:
    """Write run.json."""
    write_text(folder / RUN, json.dumps(run, indent=1) + "\n")


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, where it exists. A folder loses its name first: who is killed
    here leaves no part of it under that name."""
    if path.is_dir() and not path.is_symlink():
        unnamed = path if path.name.endswith(UNFINISHED) else path.with_name(f".{path.name}.former{UNFINISHED}")
        if unnamed != path:
            shutil.rmtree(unnamed, ignore_errors=True)
            os.replace(path, unnamed)
        shutil.rmtree(unnamed)
    else:
        path.unlink(missing_ok=True)


def replace_folder(new: Path, place: Path) -> None:
    """Put a folder in the place of another, or where there is none. Who is killed here leaves one of the two there, or
    the former one under another name, from which `claimed` puts it back.

    Raises:
        OSError: a folder cannot be renamed.
    """
    former = place.with_name(f".{place.name}{FORMER}")
    if place.exists():
        os.replace(place, former)
    try:
        os.replace(new, place)
    except BaseException:
        put_back(former)
        raise
    remove(former)


def put_back(former: Path) -> None:
    """Give a folder its name back that `replace_folder` took from it, unless another has it; then it goes."""
    place = former.with_name(former.name.removeprefix(".").removesuffix(FORMER))
    if place.exists():
        remove(former)
    elif former.exists():
        os.replace(former, place)


def _leftovers(folder: Path) -> list[Path]:
    """What a killed process left half written: files that have no name yet, and folders of RNAs. A run begins with its
    run.json: in a folder without it, nothing else."""
    if not (folder / RUN).is_file():
        return list(folder.glob(f".{RUN}.*{TEMPORARY}"))
    files = [path for path in folder.glob(f".*{TEMPORARY}") if not path.is_dir()]
    return [*files, *(path for suffix in (UNFINISHED, FORMER) for path in folder.glob(f".*{suffix}") if path.is_dir())]


def described(folder: Path) -> dict[str, Any] | None:
    """The run.json of a folder; None for a new one.

    Raises:
        ConfigError: it is a file, or holds something else.
        InputError: its run.json cannot be read.
    """
    path = folder / RUN
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; {REMEDY}")
    if path.is_file():
        return read_description(folder)
    if folder.is_dir() and set(folder.iterdir()) - {folder / LOCK, *_leftovers(folder)}:
        raise ConfigError(f"{folder} is not empty and was not written by rnagen; {REMEDY}")
    return None


def read_description(folder: Path) -> dict[str, Any]:
    """The run.json of a folder, with an identity.

    Raises:
        InputError: it cannot be read, or is not the description of a run; or a target of it has a folder elsewhere.
    """
    path = folder / RUN
    found = read_json(path)
    if not isinstance(found.get("identity"), dict):
        raise InputError(path, "identity", f"missing: not the description of a run; {REMEDY}")
    check_places(folder, found.get("targets", []))
    return found


def check_places(folder: Path, targets: Any) -> None:
    """Refuse a run.json whose targets lie elsewhere than in its folder: a run may come from a stranger, and what has
    the name of a target is replaced.

    Raises:
        InputError: names the target, whose folder is not a plain name there, or is a link.
    """
    links = {found.name for found in os.scandir(folder) if found.is_symlink()}
    for entry in targets if isinstance(targets, list) else []:
        if not isinstance(entry, dict) or "folder" not in entry:
            continue
        place = entry["folder"]
        if not isinstance(place, str) or not place or safe_name(place) != place:
            record = str(entry.get("name", "targets"))
            raise InputError(folder / RUN, record, f"its folder {quoted(place)} is not the name of one; {REMEDY}")
        if place in links:
            raise InputError(folder / place, None, f"is a link: nothing is read or written through it; {REMEDY}")
