"""What is told of a denial: a log line, and an event that names subject and reason."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from roadstead.api.group import API_VERSION
from roadstead.api.raw import Raw
from roadstead.kube.kube_events import EventRecorder
from roadstead.logs import redacted
from roadstead_webhooks import webhook_metrics
from roadstead_webhooks.admission.rates import Rate, RateLimit
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest

logger = logging.getLogger(__name__)

EACH: Final = Rate(per_second=0.5, burst=20)
"""Events in one namespace."""
TOTAL: Final = Rate(per_second=5.0, burst=50)
"""Events of this process."""


class Denials:
    """Posts events at a bounded rate, so that whoever is denied can't fill etcd with them."""

    def __init__(
        self, events: EventRecorder, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._events = events
        self._rate = RateLimit(EACH, TOTAL, clock=clock)
        self._posting: set[asyncio.Task[None]] = set()

    def tell(self, request: AdmissionRequest, answer: AdmissionAnswer) -> None:
        """Returns at once; a dry run, which stores nothing, posts nothing.

        Nor does a request that doesn't fit: whatever it names may have nothing to do with it.
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
        task = asyncio.create_task(
            self._events.record(
                _about(request), "AdmissionDenied", redacted(message), kind="Warning"
            )
        )
        self._posting.add(task)
        task.add_done_callback(self._posting.discard)

    async def close(self) -> None:
        """Wait for what is being posted."""
        await asyncio.gather(*self._posting, return_exceptions=True)

    def _may_post(self, namespace: str) -> bool:
        allowed = self._rate.allows(namespace)
        if not allowed:
            webhook_metrics.EVENTS_DROPPED.inc()
        return allowed


def _about(request: AdmissionRequest) -> Raw:
    """The object; one that has no name yet goes by what its name begins with."""
    return {
        "apiVersion": API_VERSION,
        "kind": request.kind,
        "metadata": {
            "name": request.name or request.generate_name.rstrip("-.") or "unnamed",
            "namespace": request.namespace,
            "uid": request.meta.uid if request.old else "",
        },
    }
