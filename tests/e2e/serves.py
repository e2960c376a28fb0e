"""ModelServes of one namespace, used with kubectl as people do."""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dev.demo import admission
from dev.demo.kubectl import Cluster
from dev.errors import DevError

MODEL = "gemma-3-270m"
USERS = "e2e-users"
POLL_SECONDS = 0.5
"""Each poll starts kubectl: 0.06 s of CPU time."""
RESOURCES = {
    "requests": {"cpu": "100m", "memory": "512Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
Condition = Mapping[str, Any]


def make_serve(name: str = "gemma", **spec: Any) -> dict[str, Any]:
    """A ModelServe of the real model with small requests."""
    return {
        "apiVersion": "model.example.com/v1alpha1",
        "kind": "ModelServe",
        "metadata": {"name": name},
        "spec": {
            "modelName": MODEL,
            "runtimeParams": {"contextSize": 512, "threads": 1},
            "resources": RESOURCES,
            **spec,
        },
    }


@dataclass(frozen=True)
class Serves:
    """Applies, reads and waits for ModelServes."""

    cluster: Cluster
    namespace: str

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl in this namespace."""
        return self.cluster.run("-n", self.namespace, *arguments, stdin=stdin)

    def apply(self, serve: Mapping[str, Any]) -> None:
        """`kubectl apply` with a new token of a user with a contract."""
        token = admission.token(self.cluster, "alice", USERS)
        self.kubectl("apply", "-f", "-", stdin=admission.with_token(json.dumps(serve), token))

    def dry_run(self) -> None:
        """Create one more ModelServe as a dry run; DevError if it is denied."""
        token = admission.token(self.cluster, "alice", USERS)
        manifest = admission.with_token(json.dumps(make_serve("dry", replicas=0)), token)
        self.kubectl("create", "--dry-run=server", "-f", "-", stdin=manifest)

    def is_admitted(self) -> bool:
        """Whether the dry run is allowed."""
        try:
            self.dry_run()
        except DevError:
            return False
        return True

    def get(self, kind: str, name: str) -> Mapping[str, Any]:
        """An object; empty if it doesn't exist."""
        return self.cluster.get("-n", self.namespace, kind, name) or {}

    def pods(self) -> list[Mapping[str, Any]]:
        """The namespace's pods that are not terminating."""
        found: list[Mapping[str, Any]] = json.loads(self.kubectl("get", "pods", "-o", "json"))[
            "items"
        ]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def condition(self, name: str, type_: str = "Ready") -> Condition:
        """A condition of the object's current generation; empty before."""
        return condition_of(self.get("modelserve", name), type_)

    def until_ready(self, name: str = "gemma", *, seconds: float = 240) -> Mapping[str, Any]:
        """Wait until it is Ready; returns the object."""
        return self.until(name, "Ready", "True", seconds=seconds)

    def until(
        self, name: str, type_: str, value: str, *, seconds: float = 240
    ) -> Mapping[str, Any]:
        """Wait until a condition's status or reason is `value`; returns the object."""
        deadline = time.monotonic() + seconds
        while True:
            serve = self.get("modelserve", name)
            found = condition_of(serve, type_)
            if value in (found.get("status"), found.get("reason")):
                return serve
            assert time.monotonic() < deadline, f"{type_} is not {value}: {self._describe(serve)}"
            time.sleep(POLL_SECONDS)

    def explanation(self, reason: str, name: str = "gemma") -> str:
        """Wait until Ready is false with `reason` and an Event; returns the message."""
        condition = condition_of(self.until(name, "Ready", reason), "Ready")
        assert condition["status"] == "False"
        self.until_event(reason)
        return str(condition["message"])

    def until_event(self, reason: str, *, seconds: float = 120) -> None:
        """Wait for an Event: the operator posts it after it has written the condition."""
        deadline = time.monotonic() + seconds
        while reason not in (seen := self._event_reasons()):
            assert time.monotonic() < deadline, f"no event has the reason {reason}: {seen}"
            time.sleep(POLL_SECONDS)

    def _event_reasons(self) -> Collection[str]:
        events = json.loads(self.kubectl("get", "events", "-o", "json"))["items"]
        return {each["reason"] for each in events}

    def _describe(self, serve: Mapping[str, Any]) -> str:
        status = json.dumps(serve.get("status", {}), indent=1)
        return f"{status}\n{self.kubectl('get', 'pods', '-o', 'wide')}"


def model_condition(cluster: Cluster, name: str, type_: str = "Ready") -> Condition:
    """A condition of a Model; empty before it exists."""
    return condition_of(cluster.get("model", name) or {}, type_)


def condition_of(found: Mapping[str, Any], type_: str) -> Condition:
    """A condition of an object's current generation; empty before."""
    generation = found.get("metadata", {}).get("generation")
    for item in found.get("status", {}).get("conditions", []):
        if item["type"] == type_ and item["observedGeneration"] == generation:
            condition: Condition = item
            return condition
    return {}
