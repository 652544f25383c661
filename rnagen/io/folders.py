"""Names of records as names of folders and files that Windows, macOS and Linux can all hold."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

MAXIMUM_BYTES = 120
"""Of a folder's name in UTF-8. File systems allow 255, or 143 where they encrypt, and files beside the folder are named
after it."""

_IMPOSSIBLE = re.compile(r'[<>:"/\\|?*\s\x00-\x1f\x7f-\x9f\ud800-\udfff]')
_NUMBER = re.compile(r"-\d+$")
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])(\..*)?", re.IGNORECASE)
"""Windows opens a device under these names, whatever the suffix."""


def safe_name(name: str) -> str:
    """The name of a folder for a record; the name itself where every system can hold it.

    Characters that some system cannot hold become `_`, as do dots at the start and at the end. The name of a Windows
    device gets a `_` before it. A long name is cut, and ends in a hash of the whole.
    """
    safe = _IMPOSSIBLE.sub("_", name)
    body = safe.lstrip(".")
    safe = "_" * (len(safe) - len(body)) + body
    body = safe.rstrip(".")
    safe = body + "_" * (len(safe) - len(body))
    if _DEVICE.fullmatch(safe):
        safe = f"_{safe}"
    if len(safe.encode()) > MAXIMUM_BYTES:
        safe = _with_suffix(safe, "-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8])
    return safe


def folder_names(
    names: Iterable[str], reserved: Sequence[str] = (), taken: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A folder for each of several distinct names: its `safe_name`, and no two are one folder on any system.

    A name that is safe is its own folder. The first of two that differ in case or Unicode normalisation alone is; the
    others, and names that become equal to one that is taken, get `-2`, `-3` … in the order given.

    Args:
        names: of the records.
        reserved: names of files beside the folders; a record of such a name gets a `_` before it.
        taken: folders that are there, by name: they stay, and all others avoid them.
    """
    taken = taken or {}
    forbidden = set(map(_key, reserved))
    wanted = {name: safe_name(name) for name in names}
    wanted = {name: f"_{safe}" if _key(safe) in forbidden else safe for name, safe in wanted.items()}
    owners = {_key(folder): name for name, folder in taken.items()}
    for name, safe in wanted.items():
        if safe == name and name not in taken:
            owners.setdefault(_key(safe), name)
    found = {}
    for name, safe in wanted.items():
        folder, number = taken.get(name, safe), 1
        while owners.setdefault(_key(folder), name) != name:
            number += 1
            folder = _with_suffix(safe, f"-{number}")
        found[name] = folder
    return found


def may_hold(folder: str, name: str) -> bool:
    """Whether `folder_names` can have given this folder to a record, whatever the other records are."""
    safe, number = safe_name(name), _NUMBER.search(folder)
    wanted = (safe, f"_{safe}")
    return folder in wanted or (number is not None and folder in {_with_suffix(one, number[0]) for one in wanted})


def _with_suffix(name: str, suffix: str) -> str:
    """The name, cut between characters to what leaves room for the suffix."""
    room = MAXIMUM_BYTES - len(suffix.encode())
    return name.encode()[:room].decode(errors="ignore") + suffix


def _key(name: str) -> str:
    """Equal for names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
