"""A transfer's Job, followed to its end by what its pods say and what Kubernetes says of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from roadstead.api.raw import Raw
from roadstead.controllers.transfer_logs import PodLog
from roadstead.controllers.transfer_pods import blocking, has_ended, outcome_of
from roadstead.controllers.transfer_runner import Blocked, EventHandler, Outcome, crashed
from roadstead.transfer.messages import Completed, Failed, Resume, Started


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """In seconds."""

    look: float = 0.5
    """Between two looks at the pods, which are watched."""
    ask: float = 5.0
    """Between two questions whether the Job is there, which is not."""
    grace: float = 15.0
    """How long after a Job's end its pods' outcome is waited for."""


PACE: Final = Pace()


@dataclasses.dataclass(kw_only=True)
class Following:
    """One Job. `pods` are those known of, `state` asks for the Job: None if it is gone."""

    pods: Callable[[], Sequence[Raw]]
    state: Callable[[], Awaitable[Raw | None]]
    remember: Callable[[Resume], Awaitable[bool]]
    """Tells the Job's next pod which upload to go on with; whether that worked."""
    known: Resume | None
    """The upload that the next pod would go on with."""
    name: str
    """`namespace/name` of the Job."""
    hears: EventHandler
    pace: Pace
    _asked: float = dataclasses.field(default_factory=time.monotonic)
    _over: float = 0.0
    _seen: float = dataclasses.field(default_factory=time.monotonic)
    """When it last had a pod."""
    _blocked: Blocked = dataclasses.field(default_factory=Blocked)

    async def look(self, log: PodLog) -> Outcome | None:
        """Look once; the outcome, None while there is none."""
        pods = self.pods()
        log.read(pods)
        outcome = outcome_of(pods)
        if outcome is not None:
            return outcome
        self._tell(self._blocking(pods))
        await self._remember(log.started)
        return await self._of_job(log)

    def _blocking(self, pods: Sequence[Raw]) -> Blocked:
        """Why no pod of the Job is at work."""
        if pods:
            self._seen = time.monotonic()
            found = blocking(pods)
            return Blocked(reason=found.reason, message=found.message) if found else Blocked()
        if self._over or time.monotonic() - self._seen < self.pace.grace:
            return Blocked()
        # A quota, say, or a standard that the namespace enforces: only Events tell.
        message = f"Job {self.name} gets no pod; its Events say why"
        return Blocked(reason="TransferPodMissing", message=message)

    def _tell(self, blocked: Blocked) -> None:
        if blocked != self._blocked:
            self._blocked = blocked
            self.hears(blocked)

    async def _remember(self, started: Started | None) -> None:
        upload = started.resume if started is not None else self.known
        if upload is not None and upload != self.known and await self.remember(upload):
            self.known = upload

    async def _of_job(self, log: PodLog) -> Outcome | None:
        """What is to be said where the Job is over, or gone, and no pod tells how it went."""
        if self._over:
            if time.monotonic() - self._over < self.pace.grace:
                return None
            said = log.outcome if isinstance(log.outcome, Completed | Failed) else None
            return said or crashed("Job has ended, and its pods did not say how")
        if time.monotonic() - self._asked < self.pace.ask:
            return None
        self._asked = time.monotonic()
        state = await self.state()
        if state is None:
            return crashed("Job was deleted")
        self._over = self._asked if has_ended(state) else 0.0
        return None
