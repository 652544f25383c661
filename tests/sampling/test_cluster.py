"""Targets go out one by one and come back with their ensembles, or with the reason why there are none."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from distributed import Client, KilledWorker, LocalCluster

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.config.sampling import SampleConfig, SamplingPlan, TemplateConfig
from rnagen.errors import ConfigError, InputError
from rnagen.io.target import Target, make_target
from rnagen.sampling import checks, cluster, worker
from rnagen.sampling.cluster import Work, Workers
from rnagen.sampling.ensemble import Models
from rnagen.sampling.ranking import ranked
from rnagen.sampling.run import SamplingRun
from rnagen.sampling.sharing import load_models
from rnagen.sampling.worker import Job, fingerprints_of
from tests.helpers.tiny import TINY, tiny_model

PLAN = SamplingPlan(1)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Of one worker, a thread of this process."""
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(**settings) as local, Client(local, set_as_default=False) as connected:
        yield connected


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    save_checkpoint(path, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    return path


def job_of(checkpoint: Path, **options) -> Job:
    config = SampleConfig(ckpt=(checkpoint,), device="cpu", n=1, **options)
    return Job.of(config, load_models(config, "cpu"), 1)


def works(names: list[str], taken: list[str]) -> Iterator[Work]:
    """A target for each name, written down when it is taken."""
    for name in names:
        taken.append(name)
        yield make_target("test", name, "GGGAAACCC"), PLAN


def killed_at_second(job: Job, target: Target, plan: SamplingPlan) -> InputError:
    if target.name == "second":
        raise KilledWorker(target.name, SimpleNamespace(address="tcp://gone:1"), 2)  # type: ignore[arg-type]
    return InputError("test", target.name, "as usual")


def test_targets_are_taken_when_workers_are_free_and_none_is_lost(client, monkeypatch, checkpoint) -> None:
    monkeypatch.setattr(worker, "draw", killed_at_second)
    taken: list[str] = []
    names = ["first", "second", *map(str, range(20))]
    results: list[str] = []
    for target, result in Workers(client, job_of(checkpoint)).draw(works(names, taken)):
        results.append(target.name)
        # One is with the worker while another is written.
        assert len(taken) - len(results) <= 1
        assert isinstance(result, InputError)
        what = "3 workers were killed while they sampled it" if target.name == "second" else "as usual"
        assert what in str(result)
    assert sorted(results) == sorted(names)


def test_a_worker_of_several_threads_is_refused(checkpoint) -> None:
    class Threads:
        def nthreads(self) -> dict[str, int]:
            return {"tcp://a:1": 1, "tcp://b:1": 4}

        def cancel(self, futures: list) -> None:
            assert not futures

    with pytest.raises(ConfigError, match="the worker tcp://b:1 has 4 threads for tasks: start it with --nthreads 1"):
        list(Workers(Threads(), job_of(checkpoint)).draw(works(["one"], [])))  # type: ignore[arg-type]


def test_a_worker_samples_what_this_process_samples(client, checkpoint) -> None:
    config = replace(job_of(checkpoint).config, n=2, known=TemplateConfig(templates=("none",)))
    targets = [make_target("test", name, "GGGAAACUUCCC") for name in ("one", "two")]
    here = {target.name: result for target, result in SamplingRun(config, targets).draw()}
    job = Job.of(config, load_models(config, "cpu"), None)
    for target, result in Workers(client, job).draw((target, config.plan) for target in targets):
        assert (ranked(result).coords == here[target.name].coords).all()


def test_a_worker_with_other_weights_is_refused(client, checkpoint) -> None:
    job = job_of(checkpoint)
    other = replace(job, fingerprints=tuple((what, "x" if what == "ckpt" else has) for what, has in job.fingerprints))
    with pytest.raises(ConfigError, match=r"cluster: the worker .* has another ckpt \(\w+\) than this process \(x\)"):
        list(Workers(client, other).draw(works(["one"], [])))


def test_paths_of_a_job_do_not_depend_on_the_folder(checkpoint, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(checkpoint.parent)
    (checkpoint.parent / "mine.cif").touch()
    config = SampleConfig(ckpt=(Path(checkpoint.name),), guide_ckpt=Path("small"))
    config = replace(config, known=replace(config.known, templates=("auto", "mine.cif"), fix=("1-3", "mine.cif")))
    models = [Models.load(checkpoint, None, "cpu")]
    located = Job.of(config, models, None).config
    assert (located.ckpt, located.guide_ckpt) == ((checkpoint,), Path("small"))
    mine = str(checkpoint.parent / "mine.cif")
    assert (located.known.templates, located.known.fix) == (("auto", mine), ("1-3", mine))
    assert dict(fingerprints_of(models))["ckpt"] == models[0].structure.fingerprint


def test_workers_of_a_machine_share_its_memory(checkpoint, monkeypatch) -> None:
    models, target = [Models.load(checkpoint, None, "cpu")], make_target("test", "one", "GGGAAACCC")
    need = checks.needed_memory(target, SampleConfig(), models)
    monkeypatch.setattr(checks, "available_memory", lambda: 3 * need)
    assert checks.check_memory([target], SampleConfig(cluster="local:3"), models) == ([target], [])
    refused = checks.check_memory([target], SampleConfig(cluster="local:4"), models)[1]
    assert "GiB are free for each of 4 workers" in str(refused[0])


@pytest.mark.parametrize("text", ["local", "local:0", "local:-1", "local:9999", "2", "host:8786", "tcp://host", ""])
def test_what_is_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(
        ConfigError, match=f"cluster: '{text}' cannot be used \\(expected local:N with N from 1 to 1024"
    ):
        SampleConfig(cluster=text)


def test_the_libraries_are_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'cluster: Dask is not installed \(pip install "rnagen\[cluster\]"\)'):
        SamplingRun(SampleConfig(cluster="local:2"))


def test_a_scheduler_that_is_not_there_is_named_before_anything_is_written(monkeypatch, checkpoint, tmp_path) -> None:
    monkeypatch.setattr(cluster, "ANSWER", "100 ms")
    config = SampleConfig(sequence="GGGAAACCC", ckpt=(checkpoint,), cluster="tcp://127.0.0.1:9", out=tmp_path / "out")
    run = SamplingRun(config)
    with (
        pytest.raises(ConfigError, match=r"cluster: no Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        run.open(config.out),
    ):
        pass
    assert not config.out.exists()
