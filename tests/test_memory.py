"""Free memory, with a made-up /proc and /sys."""

import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from rnagen.memory import available_memory, is_out_of_memory

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 64 * GIB

    monkeypatch.setattr(psutil, "virtual_memory", Memory)


def write(root: Path, files: dict[str, object]) -> Path:
    for name, value in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    return root


def test_without_limits_what_is_free_on_the_machine(tmp_path: Path) -> None:
    assert available_memory(tmp_path) == 64 * GIB
    cgroup = "sys/fs/cgroup"
    write(tmp_path, {"proc/self/cgroup": "0::/", f"{cgroup}/memory.max": "max", f"{cgroup}/memory.current": GIB})
    write(tmp_path, {"proc/self/limits": "Max address space         unlimited            unlimited            bytes"})
    write(tmp_path, {"proc/self/status": "Name:\tpython\nVmSize:\t  1024 kB\nVmData:\t  1024 kB"})
    assert available_memory(tmp_path) == 64 * GIB


@pytest.mark.parametrize("limit", ["memory.max", "memory.high"])
@pytest.mark.parametrize("level", ["jobs/mine", "jobs", ""])
def test_a_group_of_version_2_at_any_level(tmp_path: Path, limit: str, level: str) -> None:
    group = f"sys/fs/cgroup/{level}"
    write(tmp_path, {"proc/self/cgroup": "0::/jobs/mine", f"{group}/{limit}": 4 * GIB})
    write(tmp_path, {f"{group}/memory.current": 3 * GIB, f"{group}/memory.stat": f"anon 5\ninactive_file {2 * GIB}"})
    assert available_memory(tmp_path) == 3 * GIB


def test_the_least_of_all_levels_counts_and_never_less_than_nothing(tmp_path: Path) -> None:
    cgroup = "sys/fs/cgroup"
    write(tmp_path, {"proc/self/cgroup": "0::/a", f"{cgroup}/a/memory.max": 9 * GIB, f"{cgroup}/a/memory.current": GIB})
    write(tmp_path, {f"{cgroup}/memory.high": 3 * GIB, f"{cgroup}/memory.current": 2 * GIB})
    assert available_memory(tmp_path) == GIB
    write(tmp_path, {f"{cgroup}/memory.current": 5 * GIB})
    assert available_memory(tmp_path) == 0


@pytest.mark.parametrize("group", ["/docker/0123", "/"])
def test_a_group_of_version_1(tmp_path: Path, group: str) -> None:
    """In a container the name is that outside, the files at the top are the container's own."""
    write(tmp_path, {"proc/self/cgroup": f"12:cpu,cpuacct:{group}\n4:memory:{group}\n1:name=systemd:/\n0::/"})
    memory = "sys/fs/cgroup/memory"
    write(tmp_path, {f"{memory}/memory.limit_in_bytes": GIB, f"{memory}/memory.usage_in_bytes": GIB // 2})
    write(tmp_path, {f"{memory}/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 4}"})
    assert available_memory(tmp_path) == GIB * 3 // 4


@pytest.mark.parametrize(("limit", "used"), [("Max address space", "VmSize"), ("Max data size", "VmData")])
def test_limits_of_the_shell(tmp_path: Path, limit: str, used: str) -> None:
    row = f"{limit:<26}{5 * GIB:<21}unlimited            bytes"
    write(tmp_path, {"proc/self/limits": f"Limit   Soft Limit   Hard Limit   Units\n{row}"})
    write(tmp_path, {"proc/self/status": f"Name:\tpython\n{used}:\t {3 * 2**20} kB"})
    assert available_memory(tmp_path) == 2 * GIB


@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
def test_the_limit_of_a_real_shell() -> None:
    script = "from rnagen.memory import available_memory, is_out_of_memory; print(available_memory())"
    command = f"ulimit -v {2**20} && exec {sys.executable} -c '{script}'"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert 0 < int(found.stdout) < GIB


@pytest.mark.skipif("glibc" not in platform.libc_ver(), reason="only the C library of GNU can be asked")
def test_freed_memory_is_used_again() -> None:
    """Without it each of the last ten tensors is mapped anew, 16,384 pages of 4 KiB."""
    script = """
import resource, torch
from rnagen.memory import keep_freed_memory
keep_freed_memory()
for _ in range(40):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10 * 16384 / 2


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("could not create a primitive"),
    ],
)
def test_a_failed_allocation_is_told_from_other_errors(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    assert not is_out_of_memory(ValueError("out of memory of the user"))
