"""What all solvers have in common."""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from rnagen.transport.flow import Problem


class Solution(NamedTuple):
    """The end of a solve, and what it cost."""

    x: Float[Tensor, " n *dims"]
    evaluations: int
    """Calls of the network; for a solver that takes samples one by one, those for the most costly sample."""


@runtime_checkable
class Solver(Protocol):
    """A method with its options: a frozen dataclass that refuses impossible ones when it is made."""

    @property
    def adaptive(self) -> bool:
        """Whether it takes steps back and solves samples one by one: estimates must not depend on earlier ones."""

    @property
    def start(self) -> float:
        """Time at which the problem's samples are taken."""

    @property
    def last_step(self) -> str:
        """How it ends; "tweedie" is the estimate of the data."""

    def solve(self, problem: Problem) -> Solution:
        """Carry the problem's samples from `start` to the data."""
