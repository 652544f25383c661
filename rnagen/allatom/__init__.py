"""All heavy atoms from the beads that a model samples."""

from rnagen.allatom.complete import complete

__all__ = ["complete"]
