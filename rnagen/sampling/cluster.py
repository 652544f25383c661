"""Sampling by other processes, of this machine or of others, on Dask. One target at a time goes to each worker, so
that a list of any length takes no memory there; the ensembles come back to this process, which alone writes."""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from rnagen.config.sampling import SampleConfig, SamplingPlan
from rnagen.errors import ConfigError
from rnagen.io.target import Target
from rnagen.messages import one_line
from rnagen.parallel import single_thread
from rnagen.sampling.attempt import Result, failed
from rnagen.sampling.ensemble import Models
from rnagen.sampling.memory import LESS_MEMORY

if TYPE_CHECKING:
    from distributed import Client, Future

    from rnagen.sampling.worker import Job

Work = tuple[Target, SamplingPlan]
MOST_DEATHS = 2
"""Workers of this machine that may be killed while they sample a target; one more, and the target has failed."""
ANSWER = "30 s"
"""The time in which a scheduler must answer."""
PAUSE = 2.0
"""Seconds from one look at the workers to the next, where no ensemble comes."""


def check_cluster() -> None:
    """Refuse a cluster where its libraries are not installed.

    Raises:
        ConfigError: names the remedy.
    """
    if any(find_spec(name) is None for name in ("distributed", "cryptography")):
        raise ConfigError('cluster: Dask is not installed (pip install "rnagen[cluster]")')


class Workers:
    """The workers that a run samples with.

    Args:
        client: connected to their scheduler.
        job: of the run.
    """

    def __init__(self, client: "Client", job: "Job") -> None:
        self.client = client
        self.job = job
        self.ended: SimpleQueue[Future] = SimpleQueue()

    def draw(self, works: Iterable[Work]) -> Iterator[tuple[Target, Result]]:
        """Each target with its result, as they come; a target is taken when a worker is free for it.

        Raises:
            ConfigError: the scheduler is gone, or a worker cannot sample for this run.
        """
        coming, all_sent = iter(works), False
        running: dict[Future, Target] = {}
        finished: list[tuple[Future, Target]] = []
        try:
            while running or finished or not all_sent:
                free = self._number() - len(running)
                while free > 0 and not all_sent:
                    work = next(coming, None)
                    if work is None:
                        all_sent = True
                        break
                    running[self._submit(*work)] = work[0]
                    free -= 1
                # The workers go on while this process writes.
                for future, target in finished:
                    yield target, self._result(future, target)
                ready = self._ready() if running or not all_sent else []
                finished = [(future, running.pop(future)) for future in ready]
        finally:
            self.client.cancel(list(running))

    def _number(self) -> int:
        """Workers that there are now: some may come and go.

        Raises:
            ConfigError: one of them has several threads, which would sample in one process at the same time; or the
                scheduler is gone.
        """
        try:
            threads = self.client.nthreads()
        except (OSError, TimeoutError) as error:
            raise _gone(error) from error
        several = [address for address, number in threads.items() if number != 1]
        if several:
            what = f"the worker {several[0]} has {threads[several[0]]} threads for tasks"
            raise ConfigError(f"cluster: {what}: start it with --nthreads 1 (docs/cluster.md)")
        return len(threads)

    def _submit(self, target: Target, plan: SamplingPlan) -> "Future":
        from rnagen.sampling.worker import draw

        if target.alignment is not None:
            target = replace(target, alignment=target.alignment.absolute())
        future: Future = self.client.submit(draw, self.job, target, plan, pure=False)
        future.add_done_callback(self.ended.put)
        return future

    def _ready(self) -> "list[Future]":
        """Those that have ended since, or none after some time; a worker may have come then."""
        try:
            ready = [self.ended.get(timeout=PAUSE)]
        except Empty:
            return []
        while not self.ended.empty():
            ready.append(self.ended.get())
        return ready

    def _result(self, future: "Future", target: Target) -> Result:
        from distributed import KilledWorker

        try:
            result: Result = future.result()
            return result
        except KilledWorker as error:
            died = error.allowed_failures + 1
            reason = f"{died} workers were killed while they sampled it, as happens where memory runs out"
            return failed(target, f"{reason}: {LESS_MEMORY}")
        except CancelledError as error:
            raise _gone(error) from error
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"cluster: {one_line(error.name or '', 60)} is not installed where a worker runs"
            ) from error


def _gone(error: Exception) -> ConfigError:
    reason = one_line(error, 100) or type(error).__name__
    return ConfigError(f"cluster: the scheduler does not answer any more ({reason}): repeat the command to go on")


@contextmanager
def connected(config: SampleConfig, models: Sequence[Models]) -> Iterator[Workers]:
    """The workers of `config.cluster` until the block ends; those of this machine end with it, however it ends.

    Raises:
        ConfigError: there is no scheduler at the address.
    """
    import torch

    from rnagen.sampling.worker import Job

    # Errors of our own say what Dask would log.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    number = config.local_workers
    if number is None:
        with _scheduler(config.cluster) as client:
            yield Workers(client, Job.of(config, models, None))
        return
    threads = max(1, torch.get_num_threads() // number)
    # The workers keep the cores busy: if this process split its own work, each part would wait for a core.
    with _local(number) as client, single_thread():
        yield Workers(client, Job.of(config, models, threads))


@contextmanager
def _local(number: int) -> "Iterator[Client]":
    """Workers of this machine, which nobody else on it can talk to: a scheduler runs what it is sent."""
    import dask
    from distributed import Client, LocalCluster

    from rnagen.sampling.worker import WithoutInterrupts

    settings = {
        "distributed.scheduler.allowed-failures": MOST_DEATHS,
        # Which looks at every thread a hundred times a second.
        "distributed.worker.profile.enabled": False,
        **{f"distributed.{part}.http.routes": [] for part in ("scheduler", "worker")},
    }
    with (
        tempfile.TemporaryDirectory(prefix="rnagen-") as folder,
        dask.config.set(settings),
        LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address=None,
            # No page, but a port: any, for others may have taken Dask's own.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            security=True,
            silence_logs=logging.CRITICAL,
            local_directory=folder,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(WithoutInterrupts())
        yield client


@contextmanager
def _scheduler(address: str | None) -> "Iterator[Client]":
    from distributed import Client

    try:
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(f"cluster: no Dask scheduler answers at {address}: {one_line(error, 100)}") from error
    with client:
        yield client
