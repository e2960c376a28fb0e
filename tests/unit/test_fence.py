"""The fence: in this process, and in one that inherits its memory."""

import os
import subprocess
import sys

import pytest

from roadstead import fence
from roadstead.errors import LeaseLost
from roadstead.fence import FOREVER, NEVER, Fence


def test_open_fence_lets_everything_through() -> None:
    Fence.open().check()


def test_fence_of_a_candidate_lets_nothing_through() -> None:
    with pytest.raises(LeaseLost):
        Fence.shared().check()


def test_fence_holds_from_its_moment_on() -> None:
    held = Fence.shared(fence.now() + 60)
    held.check()
    held.move(fence.now() - 0.001)
    with pytest.raises(LeaseLost):
        held.check()


def test_fence_that_is_ended_does_not_open_by_itself() -> None:
    held = Fence.shared(FOREVER)
    held.move(NEVER)
    assert held.left() == NEVER


@pytest.mark.parametrize("until", [NEVER, FOREVER])
def test_process_that_inherits_it_sees_each_move(until: float) -> None:
    held = Fence.shared()
    os.set_inheritable(held.fd, True)
    code = (
        "import sys; from roadstead.fence import Fence; held = Fence.inherited(int(sys.argv[1]));"
        "print(held.left(), flush=True); sys.stdin.readline(); print(held.left(), flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(held.fd)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(held.fd,),
        text=True,
    )
    assert process.stdout is not None
    assert float(process.stdout.readline()) == NEVER
    held.move(until)
    assert float(process.communicate("\n")[0]) == until


def test_what_is_no_memory_of_a_fence_is_refused() -> None:
    reading, writing = os.pipe()
    with pytest.raises(OSError, match="Permission denied"):
        Fence.inherited(reading)
    os.close(reading)
    os.close(writing)
