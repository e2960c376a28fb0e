"""The transfers of this operator: which one runs when, and what is known of each."""

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
from roadstead.controllers.transfer_queue import TransferQueue
from roadstead.controllers.transfer_runner import Blocked, Outcome, TransferAttempt, TransferRunner
from roadstead.errors import Retry
from roadstead.transfer.messages import Event, Failed, Progress, Started

logger = logging.getLogger(__name__)

REPORT_SECONDS: Final = 10.0
REPORT_SHARE: Final = 0.05


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
    blocked: Blocked | None = None
    outcome: Outcome | None = None
    ended: float = 0
    """`time.monotonic()` of its end."""


class Transfers:
    """Has transfers run, `concurrency` at a time, and tells when one has news worth a write.

    `on_news` gets a Model's UID; it is called from the event loop and must not block.
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
        """Those that wait and those that run."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def view(self, uid: str) -> TransferView | None:
        """What is known of a Model's transfer; None if there is none."""
        return self._views.get(uid)

    def start(self, attempt: TransferAttempt, *, tenants: Collection[str]) -> None:
        """Queue a transfer for its tenants; one of the same Model that is under way goes on."""
        if attempt.uid in self._attempts:
            return
        self._take_in(attempt)
        self._queue.put(attempt.uid, tenants)
        self._fill()

    def wanted_by(self, uid: str, tenants: Collection[str]) -> None:
        """Who waits for it has changed, maybe."""
        if self._queue.waits(uid):
            self._queue.put(uid, tenants)

    async def adopt(self) -> None:
        """Go on with what an earlier operator left running; raises KubeError."""
        for attempt in await self._runner.found():
            if attempt.uid not in self._attempts:
                self._take_in(attempt)
                self._queue.run(attempt.uid)
                self._begin(attempt)

    def forget(self, uid: str) -> None:
        """Drop what is known of a transfer that ended."""
        if uid not in self._attempts:
            self._views.pop(uid, None)
            self._count()

    async def settle(self, uid: str) -> None:
        """Forget a transfer whose outcome is written down, and what is left of it."""
        if uid not in self._attempts:
            await self._runner.clear(uid)
        self.forget(uid)

    async def stop(self, uid: str) -> bool:
        """End a transfer, whose upload is kept; whether nothing of it runs any more."""
        await self._cancel(uid)
        return await self._runner.clear(uid)

    async def stop_all(self) -> None:
        """Follow no transfer any more, at the end of the operator."""
        self._closed = True
        await asyncio.gather(*(self._cancel(uid) for uid in list(self._attempts)))

    def _take_in(self, attempt: TransferAttempt) -> None:
        self._attempts[attempt.uid] = attempt
        view = TransferView(state=State.QUEUED, inputs=attempt.inputs, attempt=attempt.number)
        self._set(attempt.uid, view)

    def _fill(self) -> None:
        while not self._closed and (uid := self._queue.take()) is not None:
            self._begin(self._attempts[uid])

    def _begin(self, attempt: TransferAttempt) -> None:
        uid = attempt.uid
        task = asyncio.create_task(self._run(attempt), name=f"transfer {attempt.job.model_name}")
        self._tasks[uid] = task
        task.add_done_callback(lambda _: self._ended(uid, task))

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        self._over(uid)
        if not task.cancelled():
            self._on_news(uid)

    def _over(self, uid: str) -> None:
        self._tasks.pop(uid, None)
        self._attempts.pop(uid, None)
        self._queue.drop(uid)
        self._fill()

    async def _cancel(self, uid: str) -> None:
        task = self._tasks.get(uid)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._over(uid)
        self._views.pop(uid, None)
        self._count()

    async def _run(self, attempt: TransferAttempt) -> None:
        uid, name = attempt.uid, attempt.job.model_name
        with logs.about(f"model/{name}"):
            self._change(uid, state=State.RUNNING)
            outcome = await self._outcome(attempt)
            reason = outcome.reason if isinstance(outcome, Failed) else type(outcome).__name__
            metrics.TRANSFER_RESULTS.labels(reason).inc()
            logger.info("the transfer ended: %s", reason)
            self._change(uid, state=State.ENDED, outcome=outcome, ended=time.monotonic())

    async def _outcome(self, attempt: TransferAttempt) -> Outcome:
        """What came of it; whatever goes wrong here ends this transfer alone, and is told."""
        reported = _Reported()
        try:
            return await self._runner.run(
                attempt, lambda event: self._heard(attempt, event, reported)
            )
        except Exception as error:
            logger.exception("the transfer could not be run or followed")
            message = f"the transfer could not be run: {type(error).__name__}"
            return Failed(reason="TransferCrashed", message=message, retry=Retry.BACKOFF)
        finally:
            _forget_progress(attempt.job.model_name)

    def _heard(self, attempt: TransferAttempt, event: Event | Blocked, reported: _Reported) -> None:
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


def _forget_progress(name: str) -> None:
    for gauge in (metrics.TRANSFER_BYTES, metrics.TRANSFER_SIZE):
        with contextlib.suppress(KeyError):
            gauge.remove(name)
