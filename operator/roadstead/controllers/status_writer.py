"""Writes a status if it changed, and posts an Event for most changes of `Ready`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from roadstead.api import conditions
from roadstead.api.conditions import PROGRESS_REASONS, TRANSIENT_REASONS
from roadstead.api.raw import Raw, section
from roadstead.kube.kube_client import Object
from roadstead.kube.kube_events import EventRecorder
from roadstead.kube.resources import Resource
from roadstead.kube.watch_cache import WatchCache

logger = logging.getLogger(__name__)


class StatusClient(Protocol):
    """The method of the API client that writes a status."""

    async def replace_status(self, resource: Resource, body: Raw) -> Object:
        """Replace the status; raises KubeConflict if the object changed since it was read."""


class StatusWriter:
    """Writes statuses, and posts Events.

    `on_written` is called with each stored object: its watch event is filtered out as our own
    write, so dependent objects are queued from here.
    """

    def __init__(
        self,
        client: StatusClient,
        cache: WatchCache,
        events: EventRecorder,
        *,
        on_written: Callable[[Resource, Raw], None],
    ) -> None:
        self._on_written = on_written
        self._client = client
        self._cache = cache
        self._events = events

    async def write(self, resource: Resource, raw: Raw, status: dict[str, Any]) -> bool:
        """Replace the status of `raw` if it differs; returns whether it did."""
        if section(raw, "status") == status:
            return False
        await self.replace(resource, raw, status)
        return True

    async def replace(self, resource: Resource, raw: Raw, status: dict[str, Any]) -> Raw:
        """Replace the status of `raw`; returns the stored object."""
        answer = await self._client.replace_status(resource, {**raw, "status": status})
        self._cache.put(resource, answer)
        self._on_written(resource, answer)
        await self._post_event(answer, section(raw, "status"))
        return answer

    async def _post_event(self, raw: Raw, before: Raw) -> None:
        change = ready_change(before, section(raw, "status"))
        if change is None:
            return
        reason, message, good = change
        logger.info("%s: %s", reason, message)
        await self._events.record(raw, reason, message, kind="Normal" if good else "Warning")


def ready_change(before: Raw, after: Raw) -> tuple[str, str, bool] | None:
    """(reason, message, whether the Event is Normal) if a change of `Ready` posts an Event.

    None if only the message changed, and for the short-lived reasons in TRANSIENT_REASONS.
    """
    now = conditions.find({"status": after}, "Ready")
    then = conditions.find({"status": before}, "Ready")
    if now is None or (then is not None and (then.status, then.reason) == (now.status, now.reason)):
        return None
    if now.reason in TRANSIENT_REASONS:
        return None
    good = now.true or now.reason in PROGRESS_REASONS
    return now.reason, now.message or f"{now.type} is {now.status}", good
