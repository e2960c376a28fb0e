"""What the pods of a transfer's Job say, read from their logs as they write them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Protocol, Self

from roadstead.api.raw import Raw
from roadstead.controllers.transfer_pods import newest_begun
from roadstead.controllers.transfer_runner import Outcome
from roadstead.errors import InvalidMessage, KubeError
from roadstead.transfer.messages import Completed, Event, Failed, Started, Stopped, parse_event

logger = logging.getLogger(__name__)

LOG_SILENCE_SECONDS: Final = 120.0
LOG_RETRY_SECONDS: Final = 2.0


class LogClient(Protocol):
    """The part of the API client that reads logs."""

    def log(
        self, pod: str, *, namespace: str, since: str = "", silence: float
    ) -> AsyncIterator[bytes]:
        """The lines of a pod's log, each after its time and a blank."""


class PodLog:
    """Follows the newest pod that has begun; a log that breaks off is read on from there.

    Nothing depends on it but progress and the upload that a next pod goes on with: a log that
    can't be read holds up nothing.
    """

    def __init__(self, client: LogClient, namespace: str, hears: Callable[[Event], None]) -> None:
        self._client = client
        self._namespace = namespace
        self._hears = hears
        self._pod = ""
        self._task: asyncio.Task[None] | None = None
        self.started: Started | None = None
        """The upload that was told of last."""
        self.outcome: Outcome | None = None
        """The last event of the pod that was read last."""

    async def __aenter__(self) -> Self:
        """Nothing is read yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def read(self, pods: Sequence[Raw]) -> None:
        """These are the Job's pods now."""
        newest = newest_begun(pods)
        if newest in ("", self._pod):
            return
        if self._task is not None:
            self._task.cancel()
        self._pod, self.outcome = newest, None
        self._task = asyncio.create_task(self._follow(self._pod))

    async def _follow(self, pod: str) -> None:
        since = ""
        while self.outcome is None:
            try:
                lines = self._client.log(
                    pod, namespace=self._namespace, since=since, silence=LOG_SILENCE_SECONDS
                )
                async for line in lines:
                    stamp, _, text = line.partition(b" ")
                    since = stamp.decode(errors="replace")
                    self._take(text)
            except KubeError as error:
                logger.debug("the log of %s can't be read now: %s", pod, error)
            await asyncio.sleep(LOG_RETRY_SECONDS)

    def _take(self, text: bytes) -> None:
        """Events stand on standard output, between the lines that the pod logs."""
        try:
            event = parse_event(text)
        except InvalidMessage:
            return
        if isinstance(event, Completed | Failed | Stopped):
            self.outcome = event
            return
        if isinstance(event, Started):
            self.started = event
        self._hears(event)
