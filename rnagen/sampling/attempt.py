"""One target that fails does not stop the others: its error becomes its result."""

from collections.abc import Callable

from rnagen.errors import InputError
from rnagen.io.target import Target
from rnagen.memory import is_out_of_memory
from rnagen.sampling.conformers import SamplingError
from rnagen.sampling.ensemble import Ensemble
from rnagen.sampling.memory import LESS_MEMORY

Result = Ensemble | InputError
"""The ensemble of a target, or the reason for its failure."""


def attempt(target: Target, act: Callable[[], Ensemble]) -> Result:
    """What `act` returns, or why this target cannot be sampled or written. Other errors are faults, and are raised."""
    try:
        return act()
    except (SamplingError, InputError) as error:
        return failed(target, str(error))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return failed(target, f"{len(target.sequence)} nt were too much for the memory that is free: {LESS_MEMORY}")


def failed(target: Target, reason: str) -> InputError:
    """The error of a target that was not sampled."""
    return InputError("sampling", target.name, reason)
