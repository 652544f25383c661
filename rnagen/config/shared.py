"""Options that tasks share. No heavy import here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

Precision = Literal["32", "bf16"]


@dataclass(frozen=True)
class RunOptions:
    """Length of a run of any task, logging and checkpoints."""

    run_name: str = "run"
    """Everything is written to `run_dir`/`run_name`."""
    run_dir: Path = Path("runs")
    """Folder of runs."""
    seed: int = 0
    """Seed of initial weights and of every draw."""
    epochs: int = 1000
    """Epochs; an epoch is one draw per training example, or `train_batches`."""
    max_time: str | None = None
    """Stop after this time, as DD:HH:MM:SS; the run can be resumed."""
    train_batches: int | None = None
    """Batches per epoch and process."""
    val_batches: int | None = None
    """Validation batches per process; all by default."""
    val_epoch_freq: int = 1
    """Validate every this many epochs."""
    validate: bool = True
    """Validate during training."""
    validate_only: bool = False
    """Validate `ckpt` and stop."""
    print_freq: int = 50
    """Steps between logged lines."""
    ckpt_freq: int = 1
    """Epochs between saves of the last state."""
    keep_freq: int | None = None
    """Epochs between weights that are kept, as step_<N>.safetensors; none are by default."""
    ckpt: Path | None = None
    """Training state (`last.ckpt`) to resume exactly, or weights (`.safetensors`) to start from."""
    wandb: bool = False
    """Log to Weights & Biases too (offline with WANDB_MODE=offline)."""
    accelerator: str = "auto"
    """Lightning accelerator: auto, cpu, gpu, mps."""
    devices: int = 1
    """Processes (DDP when more than one)."""


@dataclass(frozen=True)
class OptimOptions:
    """What every optimizer needs."""

    lr: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 0.01
    """Weight decay of matrices; biases, gains and embeddings have none."""
    grad_clip: float = 1.0
    """Largest gradient norm; larger gradients are scaled down to it."""
    accumulate_grad: int = 1
    """Batches per optimizer step."""
    precision: Precision = "32"
    """Arithmetic of the networks; geometry and losses stay in fp32. bf16 is for GPUs, and for CPUs with instructions
    for it: others are slower with it."""
    compile: bool = False
    """Compile the networks: faster steps (by some 30 % for the structure model) after a minute or two of compiling."""


@dataclass(frozen=True)
class OneCycleConfig(OptimOptions):
    """AdamW under a one-cycle schedule: for tasks whose runs have an end that is known."""

    lr: float = 5e-4
    """Peak learning rate of the one-cycle schedule, which spans the whole run."""
    warmup: float = 0.02
    """Share of the steps in which the rate rises."""
    weight_decay: float = 0.05
    """Weight decay of matrices; biases, gains and embeddings of positions have none."""
    grad_clip: float = 3.0
    """Largest gradient norm; larger gradients are scaled down to it."""


@runtime_checkable
class TaskConfig(Protocol):
    """The options of any task; each has others of its own."""

    @property
    def run(self) -> RunOptions: ...

    @property
    def optim(self) -> OptimOptions: ...
