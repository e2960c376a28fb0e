"""The usage of a server is in its status and changes nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.servers.objectstore import Certificate
from roadstead import metrics
from tests.apiserver.reconciling import metrics_api
from tests.support import certificates, custom_objects
from tests.support.builders.objects import Raw
from tests.support.builders.pods import replica_set
from tests.support.operator.namespace import Operated
from tests.support.raw_objects import send_raw
from tests.support.waiting import assert_eventually

NODE = "without-a-kubelet"
POD = "gemma-1"


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """A certificate for 127.0.0.1."""
    return certificates.issue(tmp_path)


def using(operated: Operated, memory: str, cpu: str) -> Raw:
    """Metrics of the server's pod."""
    usage = {"memory": memory, "cpu": cpu}
    return {
        "metadata": {"namespace": operated.namespace, "name": POD},
        "containers": [{"name": "llama-server", "usage": usage}],
    }


async def run_a_pod(operated: Operated, serve: Raw) -> None:
    """Create a node without a kubelet, and a pod of the server on it."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
    await send_raw(operated.api, "POST", "/api/v1/nodes", node)
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    status = {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}
    await send_raw(operated.api, "PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status})
    labels = {
        "app.kubernetes.io/managed-by": "roadstead",
        "model.example.com/server-uuid": serve["metadata"]["uid"],
        "pod-template-hash": "hash",
    }
    owners = [replica_set(serve["metadata"]["name"], "hash")]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "labels": labels, "ownerReferences": owners},
        "spec": {"nodeName": NODE, "containers": [{"name": "llama-server", "image": "a:1"}]},
    }
    await send_raw(operated.api, "POST", operated.path("pods"), pod)


async def written(serve: Raw, operated: Operated, memory: str) -> Raw:
    """Wait until the status shows this much memory, and return the object."""

    found: Raw = {}

    async def shown() -> bool:
        nonlocal found
        found = await custom_objects.get(operated.api, serve)
        assert found["status"].get("memory") == memory, found["status"]
        return True

    await assert_eventually(shown)
    return found


async def test_usage_from_metrics_k8s_io_is_in_the_status(
    operated: Operated, certificate: Certificate
) -> None:
    name = operated.site.publish()
    async with (
        metrics_api.serving(operated.api, certificate) as group,
        operated.operator(ROADSTEAD_USAGE_SECONDS="1"),
    ):
        serve = await operated.serve(name="gemma", modelName=name)
        await operated.wait_for_deployment(serve)
        await run_a_pod(operated, serve)
        group.items = [using(operated, "512Mi", "250m")]
        found = await written(serve, operated, "512 MiB")
        events = len(await operated.children("events"))
        writes = metrics.CHILD_WRITES._value.get()

        pod = f"{operated.path('pods')}/{POD}?gracePeriodSeconds=0"
        await send_raw(operated.api, "DELETE", pod)
        stopped = await written(serve, operated, "0 B")

    assert found["status"]["cpuUsagePercent"] == 25
    assert found["status"]["memoryCurrentBytes"] == found["status"]["memoryMaxBytes"] == 2**29
    assert stopped["status"]["memoryMax"] == "512 MiB"
    assert set(group.selectors) == {"app.kubernetes.io/managed-by=roadstead"}
    assert len(await operated.children("events")) == events
    assert metrics.CHILD_WRITES._value.get() == writes
