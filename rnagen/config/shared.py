"""Options that tasks share. No heavy import here."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from rnagen.config.files import Basic, refuse_unless
from rnagen.dates import is_date
from rnagen.errors import ConfigError
from rnagen.messages import one_line, quoted

Precision = Literal["32", "bf16"]
LARGEST_WIDTH = 2**14
MOST_LAYERS = 256
"""Of a network, or of its attention heads: what is larger is a mistake, which would use up the memory."""
MOST_DEVICES = 64
MOST_NODES = 1024
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")


def refuse_unless_date(name: str, value: str) -> None:
    """Refuse an option that is not a date YYYY-MM-DD.

    Raises:
        ConfigError: it names the option and its value.
    """
    if not is_date(value):
        raise ConfigError(f"{name}: {quoted(value)} is not a date (expected YYYY-MM-DD)")


def no_such_data(path: object, hint: str = "") -> ConfigError:
    """The error for data that do not exist."""
    return ConfigError(f"data: {one_line(path)}: no such file or folder{hint}")


@dataclass(frozen=True)
class RunOptions:
    """Length of the run, validation, logging and checkpoints."""

    run_name: Basic[str] = "run"
    """Name of the run: everything is written to `run_dir`/`run_name`."""
    run_dir: Basic[Path] = Path("runs")
    """Folder of all runs."""
    seed: Basic[int] = 0
    """Seed of the initial weights and of all random numbers."""
    epochs: Basic[int] = 1000
    """Epochs; an epoch has as many examples as the training set, or `train_batches` batches."""
    max_time: Basic[str | None] = None
    """Stop after this time (90s, 30m, 1h, 1d or DD:HH:MM:SS), reading the data included; the run can be resumed. It is
    the time of this command: a resumed run has none unless it is given again."""
    train_batches: int | None = None
    """Batches per epoch and process; by default the size of the training set decides."""
    val_batches: int | None = None
    """Validation batches per process; by default all."""
    val_epoch_freq: int = 1
    """Epochs from one validation to the next."""
    validate: Basic[bool] = True
    """Validate during training."""
    validate_only: Basic[bool] = False
    """Validate `ckpt` and stop, without training."""
    quiet: bool = False
    """No progress bar; the log lines stay."""
    print_freq: int = 50
    """Steps from one log line to the next; the last step has one too."""
    ckpt_freq: int = 1
    """Epochs from one save of the training state to the next; before the validation of that epoch too."""
    keep_freq: int | None = None
    """Epochs from one save of the weights as step_<N>.safetensors to the next; None: only the last and the best."""
    ckpt: Basic[Path | None] = None
    """Training state (`last.ckpt`, or the folder of the run) to resume exactly, with the options of its run, or weights
    (`.safetensors`) to start from, with the shape of their model."""
    fresh_schedule: bool = False
    """Begin the schedule of the learning rate anew where a run is resumed; it spans the steps that are left. By default
    the rate is a function of the step, and more `epochs` change it as if the run had had them from the start."""
    wandb: Basic[bool] = False
    """Log to Weights & Biases too (offline with WANDB_MODE=offline); a resumed run goes on with its record there."""
    wandb_project: str = "rnagen"
    """Project at Weights & Biases."""
    wandb_entity: str | None = None
    """User or team at Weights & Biases; by default that of the login."""
    wandb_group: str | None = None
    """Group of runs at Weights & Biases."""
    wandb_tags: tuple[str, ...] = ()
    """Tags of the run at Weights & Biases."""
    tensorboard: bool = False
    """Log to TensorBoard too, if it is installed."""
    skip_oom: bool = False
    """Skip a batch for which the memory does not suffice, as if its loss were not finite, and count it."""
    accelerator: Basic[str] = "auto"
    """Lightning accelerator: auto, cpu, gpu, mps."""
    devices: Basic[int | Literal["auto"]] = 1
    """Processes on each node, which train together (DDP), each on its part of a batch. auto: one for each GPU of the
    node, or as many as a launcher has started there."""
    num_nodes: Basic[int] = 1
    """Nodes, on each of which torchrun or srun starts `devices` processes (see docs/cluster.md)."""

    def __post_init__(self) -> None:
        least = {"epochs": 1, "val_epoch_freq": 1, "print_freq": 1, "ckpt_freq": 1}
        optional = {"train_batches": 1, "val_batches": 0, "keep_freq": 1}
        checks = {name: getattr(self, name) >= low for name, low in least.items()}
        checks |= {name: getattr(self, name) is None or getattr(self, name) >= low for name, low in optional.items()}
        # A run stays within its folder, and a mistyped number does not start thousands of processes.
        checks["run_name"] = not ({"", "..", "/"} & set(Path(self.run_name).parts or [""]))
        checks["devices"] = self.devices == "auto" or 1 <= self.devices <= MOST_DEVICES
        checks["num_nodes"] = 1 <= self.num_nodes <= MOST_NODES
        checks["seed"] = 0 <= self.seed < 2**32
        checks["accelerator"] = self.accelerator in ACCELERATORS
        refuse_unless(self, checks)
        if self.skip_oom and self.several:
            what = f"devices 1 and num_nodes 1, not {self.devices} and {self.num_nodes}"
            raise ConfigError(f"skip_oom: needs {what}: the other processes would wait for one")

    @property
    def several(self) -> bool:
        """Whether several processes may train together."""
        return (self.devices, self.num_nodes) != (1, 1)


@dataclass(frozen=True)
class OptimOptions:
    """What every optimizer needs."""

    lr: Basic[float] = 1e-3
    """Peak learning rate."""
    weight_decay: float = 0.01
    """Weight decay of matrices; biases, gains and embeddings have none."""
    grad_clip: float = 1.0
    """Largest gradient norm; larger gradients are scaled down to it."""
    accumulate_grad: int = 1
    """Batches per optimizer step."""
    precision: Basic[Precision] = "32"
    """Arithmetic of the networks; geometry and losses stay in fp32. bf16 is for GPUs, and for CPUs with instructions
    for it: others are slower with it."""
    compile: Basic[bool] = False
    """Compile the networks: faster steps (by some 30 % for the structure model) after a minute or two of compiling."""

    def __post_init__(self) -> None:
        checks = {
            "lr": 0 < self.lr < math.inf,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "grad_clip": self.grad_clip > 0,
            "accumulate_grad": self.accumulate_grad >= 1,
        }
        refuse_unless(self, checks)


@dataclass(frozen=True)
class OneCycleConfig(OptimOptions):
    """AdamW under a one-cycle schedule: for tasks whose runs have an end that is known."""

    lr: Basic[float] = 5e-4
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
    def model(self) -> Any: ...

    @property
    def run(self) -> RunOptions: ...

    @property
    def optim(self) -> OptimOptions: ...
