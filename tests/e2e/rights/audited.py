"""The local cluster's audit log of this run."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dev.cluster import audit
from dev.cluster.layout import HERE
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster

POD = "authentication.kubernetes.io/pod-name"


@dataclass(frozen=True, kw_only=True)
class Audited:
    """Events since a time, without those of terminating pods such as another checkout's."""

    since: datetime
    leaving: frozenset[str]

    @classmethod
    def from_now(cls, cluster: Cluster) -> "Audited":
        """Since the chart was installed just now."""
        pods = json.loads(cluster.run("-n", NAMESPACE, "get", "pods", "-o", "json"))["items"]
        leaving = [pod["metadata"] for pod in pods if "deletionTimestamp" in pod["metadata"]]
        return cls(
            since=datetime.now(UTC), leaving=frozenset(metadata["name"] for metadata in leaving)
        )

    @classmethod
    def of_json(cls, noted: dict[str, Any]) -> "Audited":
        """From the JSON of another process."""
        return cls(
            since=datetime.fromisoformat(noted["since"]), leaving=frozenset(noted["leaving"])
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON for another process."""
        return {"since": self.since.isoformat(), "leaving": sorted(self.leaving)}

    def events(self) -> list[dict[str, Any]]:
        """Requests of ServiceAccounts so far."""
        return [event for event in audit.events(HERE) if self._counts(event)]

    def _counts(self, event: dict[str, Any]) -> bool:
        pods = event["user"].get("extra", {}).get(POD, ())
        received = datetime.fromisoformat(event["requestReceivedTimestamp"])
        return received >= self.since and self.leaving.isdisjoint(pods)
