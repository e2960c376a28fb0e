"""Posts Kubernetes Events, which `kubectl describe` shows."""

from __future__ import annotations

import datetime
import logging
import secrets
from typing import Literal, Protocol

from roadstead.api.raw import Raw, timestamp
from roadstead.clocks import utc_now
from roadstead.errors import KubeError
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import EVENTS, Resource

logger = logging.getLogger(__name__)
MESSAGE_LIMIT = 1024


class EventWriter(Protocol):
    """The method of the API client that posts Events."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create an object."""


class EventRecorder:
    """Posts Events; a failure is only logged."""

    def __init__(self, client: EventWriter, *, instance: str) -> None:
        self._client = client
        self._instance = instance

    async def record(
        self,
        about: Raw,
        reason: str,
        message: str,
        *,
        kind: Literal["Normal", "Warning"] = "Normal",
    ) -> None:
        """Post one Event; Events of cluster-scoped objects are in the namespace `default`."""
        body = self._event(about, reason, message, kind, utc_now())
        try:
            await self._client.create(EVENTS, body)
        except KubeError as error:
            logger.warning("cannot post the Event %s: %s", reason, error)

    def _event(
        self, about: Raw, reason: str, message: str, kind: str, now: datetime.datetime
    ) -> Object:
        meta = about["metadata"]
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{meta['name'][:200]}.{secrets.token_hex(8)}",
                "namespace": meta.get("namespace") or "default",
            },
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": meta["name"],
                "namespace": meta.get("namespace", ""),
                "uid": meta.get("uid", ""),
                "resourceVersion": meta.get("resourceVersion", ""),
            },
            "type": kind,
            "reason": reason,
            "message": message[:MESSAGE_LIMIT],
            "firstTimestamp": timestamp(now),
            "lastTimestamp": timestamp(now),
            "count": 1,
            "source": {"component": "roadstead"},
            "reportingComponent": "roadstead",
            "reportingInstance": self._instance,
        }
