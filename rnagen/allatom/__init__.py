"""All heavy atoms from the beads that a model samples."""

from rnagen.allatom.complete import can_complete, complete

__all__ = ["can_complete", "complete"]
