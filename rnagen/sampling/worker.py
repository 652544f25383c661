"""What a worker of a cluster does: it loads the models once, then samples one target after another."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from distributed import Worker, WorkerPlugin, get_worker

from rnagen.caches import cached_in
from rnagen.config.sampling import SampleConfig, SamplingPlan
from rnagen.devices import choose_device
from rnagen.errors import ConfigError
from rnagen.io.target import Target
from rnagen.memory import keep_freed_memory
from rnagen.progress import silenced
from rnagen.sampling.attempt import Result, attempt
from rnagen.sampling.checks import check_memory
from rnagen.sampling.ensemble import Models
from rnagen.sampling.sharing import draw_shared, load_models
from rnagen.version import __version__


@dataclass(frozen=True)
class Job:
    """What all targets of a run have in common."""

    config: SampleConfig
    """With absolute paths: a worker has a working directory of its own."""
    fingerprints: tuple[tuple[str, str | None], ...]
    """Of `fingerprints_of`, as the process that started the run sees the files."""
    threads: int | None
    """Torch threads of a worker; None: those that it has."""

    @classmethod
    def of(cls, config: SampleConfig, models: Sequence[Models], threads: int | None) -> "Job":
        """The job of a run that samples with these models."""
        located = replace(_located(config), known=_located(config.known))
        return cls(located, fingerprints_of(models), threads)


class WithoutInterrupts(WorkerPlugin):
    """A worker on this machine, which Ctrl-C in the terminal reaches too, leaves it to the process that started it."""

    def setup(self, worker: Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _located(options: Any) -> Any:
    """The options with absolute paths of the files that exist; a checkpoint that ships has a name, not a path."""
    found: dict[str, Any] = {}
    for name, value in vars(options).items():
        if isinstance(value, Path) and value.exists():
            found[name] = value.absolute()
        elif isinstance(value, tuple):
            found[name] = tuple(type(one)(Path(one).absolute()) if Path(one).exists() else one for one in value)
    return replace(options, **found)


def fingerprints_of(models: Sequence[Models]) -> tuple[tuple[str, str | None], ...]:
    """(what conformers depend on besides the options, its version or hash), the same in all processes of a run."""
    known, guide = models[0].known, models[0].guide
    of_checkpoints = [
        part
        for one in models
        for part in (
            ("ckpt", one.structure.fingerprint),
            ("confidence model", None if one.confidence is None else one.confidence.fingerprint),
        )
    ]
    return (
        ("version of rnagen", __version__),
        *of_checkpoints,
        ("guide_ckpt", None if guide is None else guide.fingerprint),
        ("template library, or files of templates", None if known is None else known.fingerprint),
    )


@lru_cache(maxsize=1)
def _models(job: Job) -> Sequence[Models]:
    """The models of the job that this worker is at.

    Raises:
        InputError: a file cannot be read here.
        ConfigError: this worker has other files, or another rnagen, than the process that started the run.
    """
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    # Dask has its workers return freed memory at once (MALLOC_TRIM_THRESHOLD_): a quarter of the time went into getting
    # it again.
    keep_freed_memory()
    config = job.config
    models = load_models(config, _device(config))
    for (what, wanted), (_, found) in zip(job.fingerprints, fingerprints_of(models)):
        if found != wanted:
            where = f"the worker {get_worker().address}"
            raise ConfigError(f"cluster: {where} has another {what} ({found}) than this process ({wanted})")
    return models


def _device(config: SampleConfig) -> str:
    """The device of this worker: several on one machine share its GPUs out."""
    device = choose_device(config.device)
    if device == "cuda" and config.local_workers:
        return f"cuda:{get_worker().name % torch.cuda.device_count()}"
    return device


def draw(job: Job, target: Target, plan: SamplingPlan) -> Result:
    """The ensemble of a target, or why it failed."""
    with silenced(), cached_in(job.config.cache):
        models = _models(job)
        if not job.config.local_workers:
            # Only the worker knows the memory of its machine.
            too_large = check_memory([target], job.config, models)[1]
            if too_large:
                return too_large[0]
        return attempt(target, partial(draw_shared, models, target, plan))
