"""What Kubernetes' controllers do for a release, on an API server that has none.

Deployments are rolled out and Jobs complete as soon as they exist, and deleted namespaces are gone.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

PAUSE_SECONDS: Final = 0.5
KINDS: Final = "deployments,jobs,namespaces"
NOW: Final = "2026-01-01T00:00:00Z"
DONE: Final = (("SuccessCriteriaMet", "Complete"), ("Complete",))
"""Conditions of a Job that succeeded: in new versions the first is required, in 1.30 refused."""
Object = dict[str, Any]


class PlayedControllers:
    """They read all objects twice a second, and write the status of those that changed."""

    def __init__(self, kubectl: Path, kubeconfig: Path) -> None:
        self._command = (str(kubectl), f"--kubeconfig={kubeconfig}")
        self._stop = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run them in a thread while the block runs."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            found = json.loads(self._kubectl("get", KINDS, "-A", "-o", "json") or '{"items": []}')
            for each in found["items"]:
                self._reconcile(each)

    def _reconcile(self, found: Object) -> None:
        match found["kind"]:
            case "Deployment" if status := rolled_out(found):
                self._write_status(found, status)
            case "Job" if "completionTime" not in found.get("status", {}):
                for conditions in DONE:
                    self._write_status(found, completed(conditions))
            case "Namespace" if "deletionTimestamp" in found["metadata"]:
                path = f"/api/v1/namespaces/{found['metadata']['name']}/finalize"
                body = {**found, "spec": {"finalizers": []}}
                self._kubectl("replace", "--raw", path, "-f", "-", stdin=json.dumps(body))

    def _write_status(self, found: Object, status: Object) -> None:
        name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
        change = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
        self._kubectl("-n", namespace, "patch", found["kind"].lower(), name, *change)

    def _kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Its output, if the API server accepts it. What changed meanwhile is read again."""
        done = subprocess.run(
            [*self._command, *arguments], input=stdin, capture_output=True, text=True
        )
        return done.stdout


def rolled_out(deployment: Object) -> Object:
    """The status of a Deployment whose pods are all ready; empty if it has that already."""
    generation = deployment["metadata"]["generation"]
    if deployment.get("status", {}).get("observedGeneration") == generation:
        return {}
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    replicas = deployment["spec"]["replicas"]
    return {"observedGeneration": generation, **dict.fromkeys(counts, replicas)}


def completed(types: Sequence[str]) -> Object:
    """The status of a Job that succeeded, with these conditions."""
    conditions = [{"type": each, "status": "True", "lastTransitionTime": NOW} for each in types]
    return {"startTime": NOW, "completionTime": NOW, "succeeded": 1, "conditions": conditions}
