"""A paused process exits at once if it lost its Lease."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from roadstead.process.lifetime import on_continued
on_continued(lambda: sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print("continued", flush=True)
"""


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        pytest.param("another leads", 1, "roadstead: another leads\n", id="may not"),
        pytest.param("", 0, "", id="may"),
    ],
)
def test_a_resumed_process_exits_if_it_lost_the_lease(fault: str, code: int, message: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, fault],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate("\n")
    assert (process.returncode, err) == (code, message)
    assert out == ("" if fault else "continued\n")
