"""The transfers that this operator runs, each a child process of its own.

A transfer outlives the reconcile that started it: kopf cancels handlers two seconds after SIGTERM,
a process of our own gets the signal itself, stops between two chunks and keeps the upload.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from roadstead import logs, metrics
from roadstead.errors import InvalidMessage, Retry
from roadstead.fence import FOREVER, Fence
from roadstead.transfer.messages import (
    Completed,
    Event,
    Failed,
    Progress,
    Started,
    Stopped,
    TransferJob,
    parse_event,
)

logger = logging.getLogger(__name__)

REPORT_SECONDS: Final = 10.0
REPORT_SHARE: Final = 0.05
STOP_SECONDS: Final = 5.0
_LINE_LIMIT: Final = 2**20


class State(enum.StrEnum):
    """Where a transfer stands."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferView:
    """What is known of one transfer; `progress` moves every 10 s or 5% only."""

    state: State
    inputs: str
    """Stands for all that the job was made from; another value means another chance."""
    attempt: int
    started: Started | None = None
    progress: Progress | None = None
    outcome: Completed | Failed | Stopped | None = None
    ended: float = 0
    """`time.monotonic()` of its end."""


class Transfers:
    """Runs transfers, `concurrency` at a time, and tells when one has news worth a write.

    `on_news` gets a Model's UID; it is called from the event loop and must not block. A transfer
    writes for as long as the `fence` says, whatever becomes of this process.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        concurrency: int,
        on_news: Callable[[str], None],
        fence: Fence | None = None,
    ) -> None:
        self._environ = dict(environ)
        self._slots = asyncio.Semaphore(concurrency)
        self._on_news = on_news
        self._fence = fence or Fence.shared(FOREVER)
        self._views: dict[str, TransferView] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def view(self, uid: str) -> TransferView | None:
        """What is known of a Model's transfer; None if there is none."""
        return self._views.get(uid)

    def start(self, job: TransferJob, *, inputs: str, attempt: int) -> None:
        """Queue a transfer; one that runs for the same Model goes on instead."""
        uid = job.model_uid
        if uid in self._tasks:
            return
        self._set(uid, TransferView(state=State.QUEUED, inputs=inputs, attempt=attempt))
        task = asyncio.create_task(self._run(job), name=f"transfer {job.model_name}")
        self._tasks[uid] = task
        task.add_done_callback(lambda _: self._tasks.pop(uid, None))

    def forget(self, uid: str) -> None:
        """Drop what is known of a transfer that ended."""
        if uid not in self._tasks:
            self._views.pop(uid, None)
            self._count()

    async def stop(self, uid: str) -> None:
        """End a transfer and wait for its process to be gone; its upload is kept."""
        task = self._tasks.get(uid)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._views.pop(uid, None)
        self._count()

    async def stop_all(self) -> None:
        """End all transfers, at the end of the operator."""
        await asyncio.gather(*(self.stop(uid) for uid in list(self._tasks)))

    async def _run(self, job: TransferJob) -> None:
        with logs.about(f"model/{job.model_name}"):
            async with self._slots:
                self._change(job.model_uid, state=State.RUNNING)
                outcome = await self._outcome(job)
            reason = outcome.reason if isinstance(outcome, Failed) else type(outcome).__name__
            metrics.TRANSFER_RESULTS.labels(reason).inc()
            logger.info("the transfer ended: %s", reason)
            self._change(job.model_uid, state=State.ENDED, outcome=outcome, ended=time.monotonic())
            self._on_news(job.model_uid)

    async def _outcome(self, job: TransferJob) -> Completed | Failed | Stopped:
        """What came of it; whatever goes wrong here ends this transfer alone, and is told."""
        try:
            return await self._process(job)
        except Exception as error:
            logger.exception("the transfer's process could not be run or followed")
            message = f"the transfer's process could not be run: {type(error).__name__}"
            return Failed(reason="TransferCrashed", message=message, retry=Retry.BACKOFF)
        finally:
            _forget_progress(job.model_name)

    async def _process(self, job: TransferJob) -> Completed | Failed | Stopped:
        self._fence.check()
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
        assert process.stdin is not None  # noqa: S101 - asked for above
        try:
            process.stdin.write(json.dumps(job.to_json()).encode())
            process.stdin.close()
            outcome = await self._follow(job, process)
            code = await process.wait()
        finally:
            if process.returncode is None:
                await _end(process, STOP_SECONDS if self._fence.left() > 0 else 0)
        return outcome or _crashed(code)

    async def _follow(
        self, job: TransferJob, process: asyncio.subprocess.Process
    ) -> Completed | Failed | Stopped | None:
        assert process.stdout is not None  # noqa: S101 - asked for in _process
        outcome: Completed | Failed | Stopped | None = None
        reported = _Reported()
        async for line in process.stdout:
            try:
                event = parse_event(line)
            except InvalidMessage as error:
                logger.warning("the transfer said what is not understood: %s", error)
                continue
            if isinstance(event, Completed | Failed | Stopped):
                outcome = event
            else:
                self._heard(job, event, reported)
        return outcome

    def _heard(self, job: TransferJob, event: Event, reported: _Reported) -> None:
        uid = job.model_uid
        if isinstance(event, Started):
            self._change(uid, started=event)
            self._on_news(uid)
        elif isinstance(event, Progress):
            metrics.TRANSFER_BYTES.labels(job.model_name).set(event.bytes_done)
            metrics.TRANSFER_SIZE.labels(job.model_name).set(event.bytes_total)
            if reported.worth(event, time.monotonic()):
                self._change(uid, progress=event)
                self._on_news(uid)

    def _change(self, uid: str, **values: object) -> None:
        view = self._views.get(uid)
        if view is not None:
            self._set(uid, dataclasses.replace(view, **values))  # type: ignore[arg-type]  # fields by name

    def _set(self, uid: str, view: TransferView) -> None:
        self._views[uid] = view
        self._count()

    def _count(self) -> None:
        for state in (State.QUEUED, State.RUNNING):
            count = sum(view.state is state for view in self._views.values())
            metrics.TRANSFERS.labels(state.value).set(count)


class _Reported:
    """The progress that was told last: `status` is large and must not change every second."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._done = 0
        self._phase = ""

    def worth(self, event: Progress, now: float) -> bool:
        """Whether this one is worth a write: after 10 s, 5%, or in another phase."""
        step = abs(event.bytes_done - self._done) / max(event.bytes_total, 1)
        due = now - self._at >= REPORT_SECONDS or step >= REPORT_SHARE
        if not due and event.phase == self._phase:
            return False
        self._at, self._done, self._phase = now, event.bytes_done, event.phase
        return True


async def _end(process: asyncio.subprocess.Process, seconds: float) -> None:
    """SIGTERM, and SIGKILL for one that does not leave in time."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _crashed(code: int) -> Failed:
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return Failed(
        reason="TransferCrashed",
        message=f"the transfer's process {how}; it is started again and goes on where it was",
        retry=Retry.BACKOFF,
    )


def _forget_progress(name: str) -> None:
    for gauge in (metrics.TRANSFER_BYTES, metrics.TRANSFER_SIZE):
        with contextlib.suppress(KeyError):
            gauge.remove(name)
