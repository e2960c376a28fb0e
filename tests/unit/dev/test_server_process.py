"""Servers are started, waited for and stopped; failures are reported."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.errors import StepTimeout
from dev.servers.process import answers, free_ports, running, start, stop, until_ready

Started = tuple[subprocess.Popen[bytes], Path]
"""A process and its log."""
IGNORES = "trap '' TERM; echo up; while :; do sleep 0.05; done"


@contextlib.contextmanager
def started(folder: Path, script: str) -> Iterator[Started]:
    """Run a shell script."""
    log = folder / "server.log"
    with log.open("wb") as output, subprocess.Popen(["sh", "-c", script], stdout=output) as process:
        yield process, log
        process.kill()


def test_ready_server_is_waited_for(tmp_path: Path) -> None:
    asked = iter([False, False, True])
    with started(tmp_path, "exec sleep 600") as (process, log):
        until_ready("it", lambda: next(asked), process, log, seconds=60)
    assert list(asked) == []


def test_wait_for_an_exited_server_fails_at_once(tmp_path: Path) -> None:
    with (
        started(tmp_path, "echo no room") as (process, log),
        pytest.raises(StepTimeout, match=r"it did not become ready(.|\n)*no room"),
    ):
        until_ready("it", lambda: False, process, log, seconds=600)


def test_wait_for_a_silent_server_times_out(tmp_path: Path) -> None:
    with (
        started(tmp_path, "exec sleep 600") as (process, log),
        pytest.raises(StepTimeout, match="it did not become ready"),
    ):
        until_ready("it", lambda: answers("http://127.0.0.1:9/"), process, log, seconds=0.2)


def test_server_is_stopped_at_the_end_of_the_block(tmp_path: Path) -> None:
    with running("it", ["sleep", "600"], tmp_path / "log", lambda: True, seconds=60) as process:
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM


def test_server_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    process = start(["sh", "-c", IGNORES], tmp_path / "log")
    until_ready("it", lambda: is_up(tmp_path / "log"), process, tmp_path / "log", seconds=60)
    assert not stop(process, seconds=0.1)
    assert process.returncode == -signal.SIGKILL


def test_graceful_server_that_ignores_sigterm_raises_an_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        pytest.raises(StepTimeout, match=r"it did not exit within 0.1 s of SIGTERM(.|\n)*up"),
        running(
            "it",
            ["sh", "-c", IGNORES],
            log,
            lambda: is_up(log),
            seconds=60,
            stop_seconds=0.1,
            graceful=True,
        ),
    ):
        pass


@pytest.mark.parametrize(("append", "left"), [(False, "new\n"), (True, "old\nnew\n")])
def test_log_is_truncated_unless_appended_to(tmp_path: Path, append: bool, left: str) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    start(["echo", "new"], log, append=append).wait()
    assert log.read_text() == left


def test_free_ports_differ() -> None:
    assert len(set(free_ports(10))) == 10


def test_port_is_not_reused_by_the_next_call() -> None:
    assert not set(free_ports(10)) & set(free_ports(10))


def is_up(log: Path) -> bool:
    return log.read_text() == "up\n"
