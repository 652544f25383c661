"""Arrow files mapped into memory: a cell is read from disk when it is used."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from rnagen.errors import InputError


@dataclass(frozen=True)
class MappedFile:
    """An uncompressed Arrow file. It is pickled as its path, so that each worker process maps it again."""

    path: Path

    @cached_property
    def table(self) -> Any:
        """The `pyarrow.Table`, without a copy.

        Raises:
            InputError: the file is damaged.
        """
        try:
            return ipc.open_file(pa.memory_map(str(self.path))).read_all()
        except (pa.ArrowException, OSError) as error:
            raise InputError(self.path, None, f"is damaged ({error}): delete it, and it will be rebuilt") from error

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}
