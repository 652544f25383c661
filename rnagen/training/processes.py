"""How many processes train together, on how many nodes, and whether a launcher has started as many."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from lightning.fabric.utilities import rank_zero_only

from rnagen.config.shared import RunOptions
from rnagen.errors import ConfigError


@dataclass(frozen=True)
class Processes:
    """The processes of a run; each computes on a device of its own."""

    devices: int
    """On each node."""
    nodes: int = 1

    @property
    def number(self) -> int:
        """In all."""
        return self.devices * self.nodes


def processes_of(run: RunOptions) -> Processes:
    """The processes of a run by its options: with `devices` auto, as many on a node as a launcher has started there,
    else one for each GPU, else one."""
    devices = run.devices
    if devices == "auto":
        launched, gpus = started(os.environ), torch.cuda.device_count()
        devices = launched.devices if launched else gpus if run.accelerator in ("auto", "gpu", "cuda") and gpus else 1
    return Processes(devices, run.num_nodes)


def started(environment: Mapping[str, str]) -> Processes | None:
    """What a launcher has started, as it tells each of its processes; None without a launcher.

    torchrun and mpirun-like launchers, and Lightning for its own children, set WORLD_SIZE; srun has words of its own.
    """
    for everywhere, here in (("WORLD_SIZE", "LOCAL_WORLD_SIZE"), ("SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES")):
        if everywhere not in environment:
            continue
        number = int(environment[everywhere])
        if everywhere == "WORLD_SIZE":
            devices = int(environment.get(here, number))
        else:
            devices = number // int(environment.get(here, 1))
        return Processes(devices, number // devices)
    return None


def is_first() -> bool:
    """Whether this process is the one that writes and tells for all."""
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]


def check_processes(run: RunOptions) -> None:
    """Refuse a run whose processes would not find each other: they would train one by one, into the same folder.

    Raises:
        ConfigError: a launcher has started another number than the options say, or none that a run on several nodes
            needs.
    """
    wanted, found = processes_of(run), started(os.environ)
    what = f"devices {wanted.devices} × num_nodes {wanted.nodes}"
    if found is None:
        if wanted.nodes > 1:
            remedy = "start it on each node by torchrun or srun (docs/cluster.md)"
            raise ConfigError(f"num_nodes: {wanted.nodes} nodes need a launcher: {remedy}")
    elif (found.devices, found.nodes) != (wanted.devices, wanted.nodes):
        launched = f"a launcher (torchrun, srun) has started {found.devices} on each of {found.nodes} nodes"
        remedy = f"--devices {found.devices} --num-nodes {found.nodes}"
        raise ConfigError(f"num_nodes: {what} processes cannot train together: {launched}: give {remedy}")
