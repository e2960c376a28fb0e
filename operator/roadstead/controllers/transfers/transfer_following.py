"""Follows a transfer's Job to its outcome, by the log and the status of its pods."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from roadstead.api.raw import Raw
from roadstead.controllers.transfers.transfer_logs import PodLog
from roadstead.controllers.transfers.transfer_pods import find_blocker, is_finished, outcome_of
from roadstead.controllers.transfers.transfer_runner import Blocked, EventHandler, Outcome, crashed
from roadstead.transfer.messages import Completed, Failed, Resume, Started


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """Intervals in seconds."""

    pods: float = 0.5
    """Between two checks of the pods, in the cache."""
    job: float = 5.0
    """Between two reads of the Job, which is not watched."""
    grace: float = 15.0
    """The wait for the outcome of the pods after the Job has finished."""


PACE: Final = Pace()


@dataclasses.dataclass(kw_only=True)
class Following:
    """One Job. `pods` returns its pods from the cache, `state` reads the Job: None if deleted."""

    pods: Callable[[], Sequence[Raw]]
    state: Callable[[], Awaitable[Raw | None]]
    remember: Callable[[Resume], Awaitable[bool]]
    """Stores the upload that the Job's next pod resumes; returns whether that succeeded."""
    known: Resume | None
    """The upload that the next pod resumes."""
    name: str
    """`namespace/name` of the Job."""
    on_event: EventHandler
    pace: Pace
    _read_at: float = dataclasses.field(default_factory=time.monotonic)
    _finished_at: float = 0.0
    _last_pod_at: float = dataclasses.field(default_factory=time.monotonic)
    """When it last had a pod."""
    _blocked: Blocked = dataclasses.field(default_factory=Blocked)

    async def poll(self, log: PodLog) -> Outcome | None:
        """Check the pods and the Job; returns the outcome, if there is one."""
        pods = self.pods()
        log.follow_newest(pods)
        outcome = outcome_of(pods)
        if outcome is not None:
            return outcome
        self._report(self._find_blocker(pods))
        await self._remember(log.started)
        return await self._check_job(log)

    def _find_blocker(self, pods: Sequence[Raw]) -> Blocked:
        """Why no pod of the Job runs."""
        if pods:
            self._last_pod_at = time.monotonic()
            found = find_blocker(pods)
            return Blocked(reason=found.reason, message=found.message) if found else Blocked()
        if self._finished_at or time.monotonic() - self._last_pod_at < self.pace.grace:
            return Blocked()
        # For example a quota or a Pod Security Standard: only Events have the cause.
        message = f"Job {self.name} has no pod; see its Events"
        return Blocked(reason="TransferPodMissing", message=message)

    def _report(self, blocked: Blocked) -> None:
        if blocked != self._blocked:
            self._blocked = blocked
            self.on_event(blocked)

    async def _remember(self, started: Started | None) -> None:
        upload = started.resume if started is not None else self.known
        if upload is not None and upload != self.known and await self.remember(upload):
            self.known = upload

    async def _check_job(self, log: PodLog) -> Outcome | None:
        """The outcome if the Job finished or was deleted without an outcome of a pod."""
        if self._finished_at:
            if time.monotonic() - self._finished_at < self.pace.grace:
                return None
            logged = log.outcome if isinstance(log.outcome, Completed | Failed) else None
            return logged or crashed("Job finished without an outcome of its pods")
        if time.monotonic() - self._read_at < self.pace.job:
            return None
        self._read_at = time.monotonic()
        state = await self.state()
        if state is None:
            return crashed("Job was deleted")
        self._finished_at = self._read_at if is_finished(state) else 0.0
        return None
