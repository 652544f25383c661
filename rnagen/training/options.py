"""Options that tasks share. No heavy import here."""

from dataclasses import dataclass

from rnagen.config import Precision


@dataclass(frozen=True)
class OneCycleConfig:
    """AdamW under a one-cycle schedule: for tasks whose runs have an end that is known."""

    lr: float = 5e-4
    """Peak learning rate of the one-cycle schedule, which spans the whole run."""
    warmup: float = 0.02
    """Share of the steps in which the rate rises."""
    weight_decay: float = 0.05
    """Weight decay of matrices; biases, gains and embeddings of positions have none."""
    grad_clip: float = 3.0
    """Largest gradient norm."""
    accumulate_grad: int = 1
    """Batches per optimizer step."""
    precision: Precision = "32"
    """Arithmetic of the network. bf16 is for GPUs, and for CPUs with instructions for it: others are slower with it."""
    compile: bool = False
    """Compile the network."""
