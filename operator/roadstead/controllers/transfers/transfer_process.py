"""Transfers as child processes of the operator.

A transfer outlives the reconcile that started it. kopf cancels handlers two seconds after SIGTERM;
a child process handles the signal itself, stops between two chunks and keeps the upload.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from roadstead.controllers.transfers.transfer_runner import (
    EventHandler,
    Outcome,
    TransferAttempt,
    crashed,
)
from roadstead.errors import InvalidMessage
from roadstead.fence import FOREVER, Fence
from roadstead.transfer.messages import Completed, Failed, Stopped, TransferJob, parse_event

logger = logging.getLogger(__name__)

STOP_SECONDS: Final = 5.0
_LINE_LIMIT: Final = 2**20


class ProcessRunner:
    """Runs transfers as child processes, which exit with this process.

    Each writes only as long as the `fence` allows, even if this process is killed.
    """

    def __init__(self, environ: Mapping[str, str], *, fence: Fence | None = None) -> None:
        self._environ = dict(environ)
        self._fence = fence or Fence.shared(FOREVER)

    async def find_running(self) -> Sequence[TransferAttempt]:
        """No attempts: transfers exit with their operator."""
        return ()

    async def clear(self, uid: str) -> bool:
        """True: nothing remains of a process that has exited."""
        return True

    async def run(self, attempt: TransferAttempt, on_event: EventHandler) -> Outcome:
        """Run the process; if cancelled, terminate it and wait."""
        self._fence.check()
        process, stdin, stdout = await self._spawn(attempt.job)
        try:
            stdin.write(json.dumps(attempt.job.to_json()).encode())
            stdin.close()
            outcome = await _follow(stdout, on_event)
            code = await process.wait()
        finally:
            if process.returncode is None:
                await _terminate(process, STOP_SECONDS if self._fence.left() > 0 else 0)
        return outcome or crashed(_exit_text(code))

    async def _spawn(
        self, job: TransferJob
    ) -> tuple[asyncio.subprocess.Process, asyncio.StreamWriter, asyncio.StreamReader]:
        """Return the process and its pipes."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "roadstead",
            "transfer",
            env={
                **self._environ,
                "ROADSTEAD_LOG_OBJECT": f"model/{job.model_name}",
                "ROADSTEAD_FENCE_FD": str(self._fence.fd),
            },
            pass_fds=(self._fence.fd,),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
        )
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        return process, process.stdin, process.stdout


async def _follow(stdout: asyncio.StreamReader, on_event: EventHandler) -> Outcome | None:
    outcome: Outcome | None = None
    async for line in stdout:
        try:
            event = parse_event(line)
        except InvalidMessage as error:
            logger.warning("unparseable message from the transfer process: %s", error)
            continue
        if isinstance(event, Completed | Failed | Stopped):
            outcome = event
        else:
            on_event(event)
    return outcome


async def _terminate(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Send SIGTERM, and SIGKILL if the process does not exit within `seconds`."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _exit_text(code: int) -> str:
    return f"process was killed by signal {-code}" if code < 0 else f"process exited with {code}"
