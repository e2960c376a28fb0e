"""Reads the events of a transfer from the logs of its Job's pods."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Protocol, Self

from roadstead.api.raw import Raw
from roadstead.controllers.transfers.transfer_pods import newest_started
from roadstead.controllers.transfers.transfer_runner import Outcome
from roadstead.errors import InvalidMessage, KubeError
from roadstead.transfer.messages import Completed, Event, Failed, Started, Stopped, parse_event

logger = logging.getLogger(__name__)

LOG_SILENCE_SECONDS: Final = 120.0
LOG_RETRY_SECONDS: Final = 2.0


class LogClient(Protocol):
    """The method of the API client that reads logs."""

    def log(
        self, pod: str, *, namespace: str, since: str = "", silence: float
    ) -> AsyncIterator[bytes]:
        """The lines of a pod's log, each prefixed with its time and a space."""


class PodLog:
    """Follows the log of the newest started pod, and resumes after an interruption.

    Only the progress and the upload that the next pod resumes depend on it: a log that can't be
    read does not block the transfer.
    """

    def __init__(
        self, client: LogClient, namespace: str, on_event: Callable[[Event], None]
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._on_event = on_event
        self._pod = ""
        self._task: asyncio.Task[None] | None = None
        self.started: Started | None = None
        """The last reported upload."""
        self.outcome: Outcome | None = None
        """The last event of the current pod."""

    async def __aenter__(self) -> Self:
        """Return self; nothing is read yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def follow_newest(self, pods: Sequence[Raw]) -> None:
        """Follow the newest of the Job's pods that has started."""
        newest = newest_started(pods)
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
                    self._handle_line(text)
            except KubeError as error:
                logger.debug("cannot read the log of %s: %s", pod, error)
            await asyncio.sleep(LOG_RETRY_SECONDS)

    def _handle_line(self, text: bytes) -> None:
        """Handle an event; the log also contains lines of standard error, which are ignored."""
        try:
            event = parse_event(text)
        except InvalidMessage:
            return
        if isinstance(event, Completed | Failed | Stopped):
            self.outcome = event
            return
        if isinstance(event, Started):
            self.started = event
        self._on_event(event)
