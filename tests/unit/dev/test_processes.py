"""A process is identified by more than its pid."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.cluster import processes
from dev.cluster.processes import Process, start_ticks


@pytest.fixture
def sleeper() -> Iterator[Process]:
    with subprocess.Popen(["sleep", "60"]) as child:
        ticks = start_ticks(Path(f"/proc/{child.pid}/stat").read_text())
        assert ticks is not None
        yield Process(pid=child.pid, started=ticks, boot=processes.boot_id())
        child.kill()


@given(st.text(max_size=15), st.integers(min_value=0))
def test_start_time_is_parsed_with_any_process_name(name: str, ticks: int) -> None:
    assert start_ticks(f"7 ({name}) S {'0 ' * 18}{ticks} 0 0") == ticks


def test_zombie_counts_as_exited() -> None:
    assert start_ticks(f"7 (gone) Z {'0 ' * 18}42 0") is None


def test_running_process_is_alive(sleeper: Process) -> None:
    assert processes.is_alive(sleeper)


def test_recycled_pid_is_another_process(sleeper: Process) -> None:
    assert not processes.is_alive(replace(sleeper, started=sleeper.started - 1))


def test_process_of_an_earlier_boot_is_not_alive(sleeper: Process) -> None:
    assert not processes.is_alive(replace(sleeper, boot="another"))


def test_recycled_pid_is_not_terminated(sleeper: Process) -> None:
    processes.terminate([replace(sleeper, started=sleeper.started - 1)], grace_seconds=0)
    assert processes.is_alive(sleeper)


def test_process_is_terminated(sleeper: Process) -> None:
    processes.terminate([sleeper], grace_seconds=10)
    assert not processes.is_alive(sleeper)


def test_record_is_read_back(tmp_path: Path) -> None:
    process = Process(pid=os.getpid(), started=4242, boot="a-b-c")
    processes.write_record(tmp_path, "etcd", process)
    assert processes.recorded(tmp_path) == {"etcd": process}


def test_pid_file_has_only_the_pid(tmp_path: Path) -> None:
    processes.write_record(tmp_path, "etcd", Process(pid=77, started=4242, boot="a"))
    assert (tmp_path / "etcd.pid").read_text() == "77\n"


@pytest.mark.parametrize("text", ["", "x", "12 13"])
def test_broken_record_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "etcd.pid").write_text(text)
    (tmp_path / "etcd.started").write_text("1 b")
    assert processes.read_record(tmp_path, "etcd") is None
