"""A process that was stopped ends before all else, where it may not go on."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from roadstead.controllers.lifetime import on_continued
on_continued(lambda: sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print("went on", flush=True)
"""


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        pytest.param("another leads", 1, "roadstead: another leads\n", id="may not"),
        pytest.param("", 0, "", id="may"),
    ],
)
def test_a_process_that_was_stopped_goes_on_only_if_it_may(
    wrong: str, code: int, said: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, wrong],
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
    assert (process.returncode, err) == (code, said)
    assert out == ("" if wrong else "went on\n")
