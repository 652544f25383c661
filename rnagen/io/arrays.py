"""What reading a file of NumPy arrays can raise, whatever its bytes."""

import struct
import zlib
from tokenize import TokenError
from zipfile import BadZipFile

NOT_ARRAYS = (
    *(BadZipFile, EOFError, KeyError, MemoryError, NotImplementedError, OverflowError, RuntimeError, SyntaxError),
    *(TokenError, ValueError, struct.error, zlib.error),
)
"""Of `numpy.load` without pickles: the header of an array is tokenized, an archive has checksums, flags and methods."""
