"""Reports of denials: a log line, and an Event with subject and reason."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final, Literal

from roadstead.api.group import API_VERSION
from roadstead.api.raw import Raw
from roadstead.clocks import Stopwatch
from roadstead.kube.kube_events import EventRecorder
from roadstead.logs import redacted
from roadstead_webhooks import webhook_metrics
from roadstead_webhooks.admission.rates import Rate, RateLimit
from roadstead_webhooks.admission.restoring import RESTORED
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest

logger = logging.getLogger(__name__)

EACH: Final = Rate(per_second=0.5, burst=20)
"""Events per namespace."""
_EventType = Literal["Normal", "Warning"]
TOTAL: Final = Rate(per_second=5.0, burst=50)
"""Events of this process."""


class Denials:
    """Posts Events at a bounded rate, so that denied requests can't fill etcd."""

    def __init__(self, events: EventRecorder, *, clock: Stopwatch = time.monotonic) -> None:
        self._events = events
        self._rate = RateLimit(EACH, TOTAL, clock=clock)
        self._posting: set[asyncio.Task[None]] = set()

    def report(self, request: AdmissionRequest, answer: AdmissionAnswer) -> None:
        """Log the denial and post an Event; returns immediately.

        No Event is posted for dry runs and for requests that don't fit: their names may be false.
        """
        subject = answer.subject or "unknown"
        logger.info(
            "%s of %s by %s (subject %s) was denied: %s: %s",
            request.operation.lower(),
            request.title,
            request.username,
            subject,
            answer.reason,
            answer.message,
        )
        if request.dry_run or not request.fits or not self._may_post(request.namespace):
            return
        message = (
            f"{request.operation} by {request.username} (subject {subject}) was denied: "
            f"{answer.reason}: {answer.message}"
        )
        self._post(request, "AdmissionDenied", message, kind="Warning")

    def report_restoration(self, request: AdmissionRequest, answer: AdmissionAnswer) -> None:
        """Log that a restorer created an object, and post an Event; returns immediately."""
        if request.dry_run or not request.fits:
            return
        subject = answer.subject or "unknown"
        message = f"restored by {request.username} with the receipt of subject {subject}"
        logger.warning("%s was %s", request.title, message)
        if self._may_post(request.namespace):
            self._post(request, RESTORED, message, kind="Normal")

    def _post(
        self, request: AdmissionRequest, reason: str, message: str, *, kind: _EventType
    ) -> None:
        posting = self._events.record(
            _involved_object(request), reason, redacted(message), kind=kind
        )
        task = asyncio.create_task(posting)
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    async def close(self) -> None:
        """Wait for Events that are being posted."""
        await asyncio.gather(*self._posting, return_exceptions=True)

    def _may_post(self, namespace: str) -> bool:
        allowed = self._rate.allows(namespace)
        if not allowed:
            webhook_metrics.EVENTS_DROPPED.inc()
        return allowed


def _involved_object(request: AdmissionRequest) -> Raw:
    """Return the Event's object; a missing name is derived from `generateName`."""
    return {
        "apiVersion": API_VERSION,
        "kind": request.kind,
        "metadata": {
            "name": request.name or request.generate_name.rstrip("-.") or "unnamed",
            "namespace": request.namespace,
            "uid": request.meta.uid if request.old else "",
        },
    }
