"""The processes that the options name are those that a launcher has started, or the run is refused."""

import pytest
import torch

from rnagen.config.files import load_config
from rnagen.config.shared import RunOptions
from rnagen.config.structure import TrainConfig
from rnagen.errors import ConfigError
from rnagen.training.processes import Processes, check_processes, processes_of, started

TORCHRUN = {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
SRUN = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TORCHRUN, *SRUN):
        monkeypatch.delenv(name, raising=False)


def under(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environment", "found"),
    [({}, None), (TORCHRUN, Processes(2, 2)), (SRUN, Processes(4, 2)), ({"WORLD_SIZE": "3"}, Processes(3))],
)
def test_a_launcher_tells_what_it_has_started(environment: dict[str, str], found: Processes | None) -> None:
    assert started(environment) == found


@pytest.mark.parametrize("environment", [TORCHRUN, SRUN, {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1"}])
def test_launchers_of_other_processes_than_the_options_name_are_refused(environment, monkeypatch) -> None:
    under(monkeypatch, environment)
    found = started(environment)
    remedy = f"give --devices {found.devices} --num-nodes {found.nodes}$"
    with pytest.raises(ConfigError, match=f"num_nodes: devices 1 × num_nodes 1 processes cannot .* {remedy}"):
        check_processes(RunOptions())
    check_processes(RunOptions(devices=found.devices, num_nodes=found.nodes))
    check_processes(RunOptions(devices="auto", num_nodes=found.nodes))


def test_several_nodes_need_a_launcher() -> None:
    with pytest.raises(ConfigError, match="num_nodes: 2 nodes need a launcher: start it on each node by torchrun or"):
        check_processes(RunOptions(num_nodes=2))
    check_processes(RunOptions(devices=2))


@pytest.mark.parametrize(("accelerator", "devices"), [("auto", 3), ("gpu", 3), ("cpu", 1)])
def test_auto_is_one_process_for_each_gpu(accelerator: str, devices: int, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert processes_of(RunOptions(devices="auto", accelerator=accelerator)) == Processes(devices)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert processes_of(RunOptions(devices="auto", accelerator=accelerator)).number == 1


def test_devices_of_a_file() -> None:
    assert load_config(TrainConfig(), {"devices": "auto"}, "file").run.devices == "auto"
    assert load_config(TrainConfig(), {"devices": 4}, "file").run.devices == 4
    for value in ("some", None, 1.5, True):
        with pytest.raises(ConfigError, match=r"file: devices: .* cannot be used \(expected a whole number\)"):
            load_config(TrainConfig(), {"devices": value}, "file")
    for value in (0, 65):
        with pytest.raises(ConfigError, match=f"devices: {value} cannot be used"):
            RunOptions(devices=value)
