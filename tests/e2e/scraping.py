"""A Prometheus on this machine that scrapes the chart's pods as the PodMonitor does."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from dev.servers import prometheus
from dev.servers.prometheus import Prometheus

PARTS = ("operator", "webhooks", "forward-auth", "console")
RULES = Path(__file__).parents[2] / "chart" / "files" / "rules.yaml"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A pod and the address of its metrics: pods' addresses are routed on this machine."""

    pod: str
    address: str

    def page(self) -> str:
        """The scraped page."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=30) as response:
            body: bytes = response.read()
        return body.decode()


def targets(cluster: Cluster, part: str) -> list[Target]:
    """The pods of a component that are not terminating."""
    label = f"app.kubernetes.io/component={part}"
    found = json.loads(cluster.run("-n", NAMESPACE, "get", "pods", "-l", label, "-o", "json"))
    return [_target(pod) for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]


def _target(pod: Any) -> Target:
    (container,) = pod["spec"]["containers"]
    (port,) = (each["containerPort"] for each in container["ports"] if each["name"] == "http")
    return Target(pod=pod["metadata"]["name"], address=f"{pod['status']['podIP']}:{port}")


@contextmanager
def scraped(cluster: Cluster, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus with all components and the chart's rules."""
    jobs = [
        {
            "job_name": f"roadstead-{part}",
            "honor_labels": True,
            "static_configs": [
                {"targets": [each.address], "labels": {"pod": each.pod, "namespace": NAMESPACE}}
                for each in targets(cluster, part)
            ],
        }
        for part in PARTS
    ]
    with prometheus.running(folder, jobs, [RULES]) as running:
        yield running
