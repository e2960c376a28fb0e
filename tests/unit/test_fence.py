"""The fence, in this process and in one that inherits its memory."""

import os
import subprocess
import sys

import pytest

from roadstead import fence
from roadstead.errors import LeaseLost
from roadstead.fence import FOREVER, NEVER, Fence


def test_open_fence_allows_writes() -> None:
    Fence.open().check()


def test_new_shared_fence_forbids_writes() -> None:
    with pytest.raises(LeaseLost):
        Fence.shared().check()


def test_fence_forbids_writes_after_its_deadline() -> None:
    shared = Fence.shared(fence.now() + 60)
    shared.check()
    shared.move(fence.now() - 0.001)
    with pytest.raises(LeaseLost):
        shared.check()


def test_closed_fence_stays_closed() -> None:
    shared = Fence.shared(FOREVER)
    shared.move(NEVER)
    assert shared.left() == NEVER


@pytest.mark.parametrize("until", [NEVER, FOREVER])
def test_child_process_sees_each_move(until: float) -> None:
    shared = Fence.shared()
    os.set_inheritable(shared.fd, True)
    code = (
        "import sys; from roadstead.fence import Fence; shared = Fence.inherited(int(sys.argv[1]));"
        "print(shared.left(), flush=True); sys.stdin.readline(); print(shared.left(), flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(shared.fd)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(shared.fd,),
        text=True,
    )
    assert process.stdout is not None
    assert float(process.stdout.readline()) == NEVER
    shared.move(until)
    assert float(process.communicate("\n")[0]) == until


def test_other_file_descriptor_is_refused() -> None:
    reading, writing = os.pipe()
    with pytest.raises(OSError, match="Permission denied"):
        Fence.inherited(reading)
    os.close(reading)
    os.close(writing)
