"""The local cluster's audit log, as far as it tells of this run."""

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
    """From a moment on, without the pods that were on their way out: another checkout's, say."""

    since: datetime
    leaving: frozenset[str]

    @classmethod
    def from_now(cls, cluster: Cluster) -> "Audited":
        """Of a chart that has just been installed."""
        pods = json.loads(cluster.run("-n", NAMESPACE, "get", "pods", "-o", "json"))["items"]
        leaving = [pod["metadata"] for pod in pods if "deletionTimestamp" in pod["metadata"]]
        return cls(
            since=datetime.now(UTC), leaving=frozenset(metadata["name"] for metadata in leaving)
        )

    @classmethod
    def of_json(cls, noted: dict[str, Any]) -> "Audited":
        """As another process noted it."""
        return cls(
            since=datetime.fromisoformat(noted["since"]), leaving=frozenset(noted["leaving"])
        )

    def to_json(self) -> dict[str, Any]:
        """For another process."""
        return {"since": self.since.isoformat(), "leaving": sorted(self.leaving)}

    def events(self) -> list[dict[str, Any]]:
        """What ServiceAccounts have asked for by now."""
        return [event for event in audit.events(HERE) if self._counts(event)]

    def _counts(self, event: dict[str, Any]) -> bool:
        pods = event["user"].get("extra", {}).get(POD, ())
        received = datetime.fromisoformat(event["requestReceivedTimestamp"])
        return received >= self.since and self.leaving.isdisjoint(pods)
