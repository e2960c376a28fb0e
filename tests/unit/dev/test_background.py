"""The background cgroup has less weight, in both versions of cgroups."""

import subprocess
from pathlib import Path

import pytest

from dev.checks.background import NAME, background, wrap_command
from dev.errors import DevError


def hierarchy(folder: Path, *files: str) -> Path:
    """A folder with the files that the kernel provides."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).touch()
    return folder


def test_cpu_hierarchy_of_cgroup_v1_is_found(tmp_path: Path) -> None:
    hierarchy(tmp_path / "blkio", "cgroup.procs")
    cpu = hierarchy(tmp_path / "cpu", "cgroup.procs")
    hierarchy(cpu / NAME, "cpu.shares")
    with background(tmp_path) as procs:
        assert procs == cpu / NAME / "cgroup.procs"
        assert (cpu / NAME / "cpu.shares").read_text() == "512"
    assert not (tmp_path / "blkio" / NAME).exists()


def test_cpu_controller_is_delegated_in_cgroup_v2(tmp_path: Path) -> None:
    hierarchy(tmp_path, "cgroup.procs", "cgroup.controllers")
    hierarchy(tmp_path / NAME, "cpu.weight")
    with background(tmp_path) as procs:
        assert procs == tmp_path / NAME / "cgroup.procs"
        assert (tmp_path / NAME / "cpu.weight").read_text() == "50"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"


def test_missing_cpu_controller_raises_an_error(tmp_path: Path) -> None:
    hierarchy(tmp_path / "pids", "cgroup.procs")
    with pytest.raises(DevError, match="has the CPU controller"), background(tmp_path):
        pass


def test_command_joins_before_it_starts(tmp_path: Path) -> None:
    procs = tmp_path / "cgroup.procs"
    done = subprocess.run(
        wrap_command(procs, ["/bin/echo", "two words"]), capture_output=True, text=True, check=True
    )
    assert done.stdout == "two words\n"
    assert procs.read_text() == "0\n"
