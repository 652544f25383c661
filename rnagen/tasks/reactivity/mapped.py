"""Arrow files that are mapped into memory: a column's cells are read from the disk when they are looked at."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from rnagen.errors import InputError


def map_table(path: Path) -> Any:
    """The `pyarrow.Table` of an uncompressed Arrow file; nothing is copied.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, None, f"is no whole Arrow file ({error}); delete it, and it is made anew") from error
