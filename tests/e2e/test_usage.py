"""The usage of a server, as shown by kubectl and reported by its node's kubelet."""

import base64
import json
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from dev.demo import chat
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from tests.e2e.leader import leader
from tests.e2e.serves import Serves, make_serve
from tests.support.waiting import wait_until

CLOSE = 0.05
OPERATOR = "deployment/roadstead-operator"


def test_usage_matches_the_kubelet_and_the_maximum_survives_restarts(
    cluster: Cluster, serves: Serves
) -> None:
    # Over a minute: after each of three restarts the kubelet measures again, every ten seconds.
    serves.apply(make_serve())
    serves.until_ready()
    assert chat.ask(cluster, serves.namespace, "gemma", key=key_of(serves))

    wait_until(lambda: matches_kubelet(cluster, serves), seconds=240, step=2)
    columns = serves.kubectl("get", "modelserve", "gemma", "--no-headers").split()
    assert (columns[6], columns[8]) == ("MiB", "MiB")
    wait_until(lambda: has_its_peak(cluster, serves), seconds=240, step=2)
    first = status(serves)
    wait_until(lambda: generated(cluster, serves) > 0, seconds=240, step=2)

    pod = serves.pods()[0]["metadata"]["name"]
    serves.kubectl("delete", "pod", pod)
    wait_until(lambda: [each["metadata"]["name"] for each in serves.pods()] != [pod])
    serves.until_ready()
    wait_until(lambda: matches_kubelet(cluster, serves), seconds=240, step=2)
    second = status(serves)
    assert second["memoryMaxBytes"] >= first["memoryMaxBytes"]

    cluster.run("-n", NAMESPACE, "rollout", "restart", OPERATOR)
    cluster.run("-n", NAMESPACE, "rollout", "status", OPERATOR, "--timeout=120s")
    wait_until(lambda: matches_kubelet(cluster, serves), seconds=240, step=2)
    assert status(serves)["memoryMaxBytes"] >= second["memoryMaxBytes"]

    serves.kubectl("scale", "modelserve", "gemma", "--replicas=0")
    wait_until(lambda: status(serves)["memoryCurrentBytes"] == 0, seconds=240)
    last = status(serves)
    assert (last["memory"], last["cpuUsagePercent"]) == ("0 B", 0)
    assert last["memoryMaxBytes"] >= second["memoryMaxBytes"]


def key_of(serves: Serves) -> str:
    return base64.b64decode(serves.get("secret", "gemma-key")["data"]["api-key"]).decode()


def status(serves: Serves) -> Mapping[str, Any]:
    found: Mapping[str, Any] = serves.get("modelserve", "gemma")["status"]
    return found


def matches_kubelet(cluster: Cluster, serves: Serves) -> bool:
    """Whether the status has the memory in the kubelet's summary of the only pod."""
    now, shown = working_set(cluster, serves), status(serves).get("memoryCurrentBytes", 0)
    return now > 0 and abs(shown - now) <= CLOSE * now


def working_set(cluster: Cluster, serves: Serves) -> int:
    """The kubelet's `/stats/summary`, which the operator does not use."""
    (node,) = json.loads(cluster.run("get", "nodes", "-o", "json"))["items"]
    path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
    found = 0
    for pod in json.loads(cluster.run("get", "--raw", path))["pods"]:
        if pod["podRef"]["namespace"] == serves.namespace:
            for container in pod.get("containers", ()):
                if container["name"] == "llama-server":
                    found += container["memory"]["workingSetBytes"]
    return found


def has_its_peak(cluster: Cluster, serves: Serves) -> bool:
    """Whether the status has the peak; a measurement may be ten seconds old."""
    return bool(status(serves)["memoryMaxBytes"] >= (1 - CLOSE) * peak_of(cluster, serves))


def peak_of(cluster: Cluster, serves: Serves) -> float:
    """The kernel's peak of the only pod's server, whose cgroup has the container's ID."""
    (server,) = serves.pods()[0]["status"]["containerStatuses"]
    container_id = server["containerID"].rpartition("//")[2]
    (node,) = json.loads(cluster.run("get", "nodes", "-o", "json"))["items"]
    path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/metrics/cadvisor"
    (peak,) = (
        value
        for name, labels, value in samples(cluster.run("get", "--raw", path))
        if name == "container_memory_max_usage_bytes" and labels["id"].endswith(container_id)
    )
    return peak


def generated(cluster: Cluster, serves: Serves) -> float:
    """Tokens that the operator has counted for the server."""
    return sum(
        value
        for name, labels, value in operators_metrics(cluster)
        if name == "roadstead_server_generated_tokens_total"
        and labels["namespace"] == serves.namespace
    )


def operators_metrics(cluster: Cluster) -> list[tuple[str, Mapping[str, str], float]]:
    with cluster.forwarded(NAMESPACE, f"pod/{leader(cluster)}", 8080) as port:
        return list(samples(read(f"http://127.0.0.1:{port}/metrics")))


def read(url: str, *, key: str = "") -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=60) as response:
        page: bytes = response.read()
        return page.decode()


def samples(page: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
