"""The transfers of this operator: which ones run, and the state of each."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import logging
import time
from collections.abc import Callable, Collection
from typing import Final

from roadstead import logs, metrics
from roadstead.controllers.transfers.transfer_queue import TransferQueue
from roadstead.controllers.transfers.transfer_runner import (
    Blocked,
    Outcome,
    TransferAttempt,
    TransferRunner,
)
from roadstead.errors import Retry
from roadstead.transfer.messages import Event, Failed, Progress, Started

logger = logging.getLogger(__name__)

REPORT_SECONDS: Final = 10.0
REPORT_SHARE: Final = 0.05


class State(enum.StrEnum):
    """The state of a transfer."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferView:
    """The state of one transfer; `progress` changes only every 10 s or 5%."""

    state: State
    inputs: str
    """A digest of everything that the job was built from."""
    attempt: int
    started: Started | None = None
    progress: Progress | None = None
    blocked: Blocked | None = None
    outcome: Outcome | None = None
    ended: float = 0
    """`time.monotonic()` when it ended."""


class Transfers:
    """Runs transfers, `concurrency` at a time, and reports changes that are worth a status write.

    `on_news` is called with a Model's UID, from the event loop, and must not block.
    """

    def __init__(
        self, runner: TransferRunner, *, concurrency: int, on_news: Callable[[str], None]
    ) -> None:
        self._runner = runner
        self._on_news = on_news
        self._queue = TransferQueue(concurrency)
        self._closed = False
        self._views: dict[str, TransferView] = {}
        self._attempts: dict[str, TransferAttempt] = {}
        """The attempts that wait or run."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def view(self, uid: str) -> TransferView | None:
        """The state of a Model's transfer, if there is one."""
        return self._views.get(uid)

    def start(self, attempt: TransferAttempt, *, tenants: Collection[str]) -> None:
        """Queue a transfer for its tenants, unless one of the same Model waits or runs."""
        if attempt.uid in self._attempts:
            return
        self._add(attempt)
        self._queue.put(attempt.uid, tenants)
        self._fill()

    def set_tenants(self, uid: str, tenants: Collection[str]) -> None:
        """Replace the tenants of a waiting transfer."""
        if self._queue.waits(uid):
            self._queue.put(uid, tenants)

    async def adopt(self) -> None:
        """Follow the transfers that an earlier operator left running; raises KubeError."""
        for attempt in await self._runner.find_running():
            if attempt.uid not in self._attempts:
                self._add(attempt)
                self._queue.run(attempt.uid)
                self._launch(attempt)

    def forget(self, uid: str) -> None:
        """Forget a transfer that ended."""
        if uid not in self._attempts:
            self._views.pop(uid, None)
            self._count()

    async def settle(self, uid: str) -> None:
        """Forget a transfer whose outcome is in the status, and delete what remains of it."""
        if uid not in self._attempts:
            await self._runner.clear(uid)
        self.forget(uid)

    async def stop(self, uid: str) -> bool:
        """Stop a transfer and keep its upload; returns whether nothing of it runs."""
        await self._cancel(uid)
        return await self._runner.clear(uid)

    async def stop_all(self) -> None:
        """Stop following all transfers before the operator exits."""
        self._closed = True
        await asyncio.gather(*(self._cancel(uid) for uid in list(self._attempts)))

    def _add(self, attempt: TransferAttempt) -> None:
        self._attempts[attempt.uid] = attempt
        view = TransferView(state=State.QUEUED, inputs=attempt.inputs, attempt=attempt.number)
        self._set(attempt.uid, view)

    def _fill(self) -> None:
        while not self._closed and (uid := self._queue.take()) is not None:
            self._launch(self._attempts[uid])

    def _launch(self, attempt: TransferAttempt) -> None:
        uid = attempt.uid
        task = asyncio.create_task(self._run(attempt), name=f"transfer {attempt.job.model_name}")
        self._tasks[uid] = task
        task.add_done_callback(lambda _: self._on_done(uid, task))

    def _on_done(self, uid: str, task: asyncio.Task[None]) -> None:
        self._drop(uid)
        if not task.cancelled():
            self._on_news(uid)

    def _drop(self, uid: str) -> None:
        self._tasks.pop(uid, None)
        self._attempts.pop(uid, None)
        self._queue.drop(uid)
        self._fill()

    async def _cancel(self, uid: str) -> None:
        task = self._tasks.get(uid)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._drop(uid)
        self._views.pop(uid, None)
        self._count()

    async def _run(self, attempt: TransferAttempt) -> None:
        uid, name = attempt.uid, attempt.job.model_name
        with logs.about(f"model/{name}"):
            self._change(uid, state=State.RUNNING)
            outcome = await self._run_to_outcome(attempt)
            reason = outcome.reason if isinstance(outcome, Failed) else type(outcome).__name__
            metrics.TRANSFER_RESULTS.labels(reason).inc()
            logger.info("the transfer ended: %s", reason)
            self._change(uid, state=State.ENDED, outcome=outcome, ended=time.monotonic())

    async def _run_to_outcome(self, attempt: TransferAttempt) -> Outcome:
        """The outcome; an error fails this transfer alone."""
        reported = _Reported()
        try:
            return await self._runner.run(
                attempt, lambda event: self._on_event(attempt, event, reported)
            )
        except Exception as error:
            logger.exception("the transfer could not be run or followed")
            message = f"the transfer could not be run: {type(error).__name__}"
            return Failed(reason="TransferCrashed", message=message, retry=Retry.BACKOFF)
        finally:
            _forget_progress(attempt.job.model_name)

    def _on_event(
        self, attempt: TransferAttempt, event: Event | Blocked, reported: _Reported
    ) -> None:
        uid, name = attempt.uid, attempt.job.model_name
        if isinstance(event, Blocked):
            self._change(uid, blocked=event if event.reason else None)
            self._on_news(uid)
        elif isinstance(event, Started):
            self._change(uid, started=event)
            self._on_news(uid)
        elif isinstance(event, Progress):
            metrics.TRANSFER_BYTES.labels(name).set(event.bytes_done)
            metrics.TRANSFER_SIZE.labels(name).set(event.bytes_total)
            if reported.is_due(event, time.monotonic()):
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
    """The last reported progress: the status is large and must not change every second."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._done = 0
        self._phase = ""

    def is_due(self, event: Progress, now: float) -> bool:
        """Whether this progress is written: after 10 s, 5%, or in another phase."""
        step = abs(event.bytes_done - self._done) / max(event.bytes_total, 1)
        due = now - self._at >= REPORT_SECONDS or step >= REPORT_SHARE
        if not due and event.phase == self._phase:
            return False
        self._at, self._done, self._phase = now, event.bytes_done, event.phase
        return True


def _forget_progress(name: str) -> None:
    for gauge in (metrics.TRANSFER_BYTES, metrics.TRANSFER_SIZE):
        with contextlib.suppress(KeyError):
            gauge.remove(name)
