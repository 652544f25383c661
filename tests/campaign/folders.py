"""Trials of a folder rather than of a moment: it cannot be written, or two runs want it."""

import ctypes
import os
from pathlib import Path

from tests.campaign.commands import Command
from tests.campaign.faults import Fault
from tests.campaign.trials import Reference, resumed, run, start

LINUX_CAPABILITY_VERSION_3 = 0x20080522
Found = list[str]


def read_only(command: Command, whole: Reference, folder: Path) -> Found:
    """A folder in which nothing can be made: a reason, and nothing is changed."""
    out = folder / "out"
    out.parent.mkdir(parents=True)
    command.lay_out(out)
    out.mkdir(exist_ok=True)
    before = sorted(path.name for path in out.rglob("*"))
    for path in (out, *out.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    ended = run(command.begin(out), out, Fault("none"), _without_privileges)
    wrong = [] if ended.code == 2 else [f"exit code {ended.code}: {ended.errors.strip()[-300:]}"]
    wrong += [] if "Permission denied" in ended.errors else [f"no reason: {ended.errors.strip()[-300:]}"]
    wrong += [] if before == sorted(path.name for path in out.rglob("*")) else ["something was written"]
    for path in (out, *out.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return wrong + resumed(command, whole, out)


def _without_privileges() -> None:
    """root may write everywhere: without its capabilities (capset(2)) it is the owner of its files, and no more."""
    if os.geteuid() == 0:
        header, none = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
        if ctypes.CDLL(None, use_errno=True).capset(header, none):
            raise OSError(ctypes.get_errno(), "capabilities cannot be given up")


def two_runs(command: Command, whole: Reference, folder: Path) -> Found:
    """The same command twice at once: each ends well or is refused, one of them ends well, and the result is whole."""
    out = folder / "out"
    folder.mkdir(parents=True)
    command.lay_out(out)
    children = [start(command.begin(out), out, Fault("none")) for _ in range(2)]
    codes = [child.wait(Fault("none")) for child in children]
    errors = [child.errors.read_text().strip() for child in children]
    wrong = [f"exit code {code}: {text[-300:]}" for code, text in zip(codes, errors) if code not in (0, 2)]
    wrong += [] if 0 in codes else [f"both were refused: {errors}"]
    refusals = ("another rnagen process is writing", "holds a run: resume it")
    wrong += [
        f"no reason: {text}" for code, text in zip(codes, errors) if code == 2 and not any(r in text for r in refusals)
    ]
    return wrong + resumed(command, whole, out)
