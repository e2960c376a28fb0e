"""A server that was started is waited for, and one that does not come up is told of."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.errors import StepTimeout
from dev.servers.process import answers, until_ready

Started = tuple[subprocess.Popen[bytes], Path]
"""A process, and its log."""


@contextlib.contextmanager
def started(folder: Path, script: str) -> Iterator[Started]:
    """A shell's."""
    log = folder / "server.log"
    with log.open("wb") as output, subprocess.Popen(["sh", "-c", script], stdout=output) as process:
        yield process, log
        process.kill()


def test_a_server_is_waited_for_until_it_is_ready(tmp_path: Path) -> None:
    asked = iter([False, False, True])
    with started(tmp_path, "exec sleep 600") as (process, log):
        until_ready("it", lambda: next(asked), process, log, seconds=60)
    assert list(asked) == []


def test_a_server_that_ended_is_not_waited_for(tmp_path: Path) -> None:
    with (
        started(tmp_path, "echo no room") as (process, log),
        pytest.raises(StepTimeout, match=r"it did not come up(.|\n)*no room"),
    ):
        until_ready("it", lambda: False, process, log, seconds=600)


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with (
        started(tmp_path, "exec sleep 600") as (process, log),
        pytest.raises(StepTimeout, match="it did not come up"),
    ):
        until_ready("it", lambda: answers("http://127.0.0.1:9/"), process, log, seconds=0.2)
