"""The endpoints of kubelets, and the pauses after failures."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from roadstead.controllers.usage.usage_nodes import (
    ADDRESS_MAX_AGE_SECONDS,
    KUBELET_PORT,
    MAX_KUBELET_PAUSE_SECONDS,
    Nodes,
    endpoint_of,
    pause,
)
from roadstead.errors import KubeNotFound, UsageError
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import Resource
from roadstead.usage.kubelet import KubeletEndpoint

ERROR = UsageError("Forbidden", "403")


def node(port: int | None = 10250, kind: str = "InternalIP") -> dict[str, Any]:
    endpoint = {"kubeletEndpoint": {"Port": port}} if port else {}
    addresses = [{"type": "Hostname", "address": "a"}, {"type": kind, "address": "10.0.0.1"}]
    return {
        "metadata": {"name": "a"},
        "status": {"addresses": addresses, "daemonEndpoints": endpoint},
    }


class Api:
    """A client with one node, `a`, that counts its reads."""

    def __init__(self) -> None:
        self.reads = 0

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        self.reads += 1
        if name != "a":
            raise KubeNotFound("no such node", status=404)
        return node()


@pytest.mark.parametrize(("port", "expected"), [(10350, 10350), (None, KUBELET_PORT)])
def test_the_endpoint_is_the_internal_ip_and_the_kubelets_port(
    port: int | None, expected: int
) -> None:
    assert endpoint_of(node(port)) == KubeletEndpoint(address="10.0.0.1", port=expected)


def test_a_node_without_an_address_is_an_error() -> None:
    with pytest.raises(UsageError, match="has no address"):
        endpoint_of(node(kind="ExternalIP"))


async def test_a_node_is_read_again_after_some_time_or_a_failure() -> None:
    api = Api()
    nodes = Nodes(api, interval=15)
    for now in (0, 15, ADDRESS_MAX_AGE_SECONDS):
        nodes.due(["a"], now)
        await nodes.endpoint("a", now)
    assert api.reads == 1
    await nodes.endpoint("a", ADDRESS_MAX_AGE_SECONDS + 1)
    assert api.reads == 2
    nodes.record({"a": ERROR}, (), 0)
    await nodes.endpoint("a", ADDRESS_MAX_AGE_SECONDS + 2)
    assert api.reads == 3


async def test_a_deleted_node_is_an_error() -> None:
    nodes = Nodes(Api(), interval=15)
    nodes.due(["b"], 0)
    with pytest.raises(UsageError, match="no such node"):
        await nodes.endpoint("b", 0)


def test_pauses_grow_while_a_kubelet_fails() -> None:
    nodes, asked = Nodes(Api(), interval=15), []
    for now in range(0, 1200, 15):
        if nodes.due(["a"], now):
            asked.append(now)
            nodes.record({"a": ERROR}, (), now)
    assert asked[:4] == [0, 15, 45, 105]
    assert len(asked) < 10
    assert pause(1000, 15) == MAX_KUBELET_PAUSE_SECONDS


def test_each_change_of_a_kubelets_state_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    nodes = Nodes(Api(), interval=15)
    for failed, good in ([("a", "b"), ()], [("a", "b"), ()], [(), ("a", "b")], [(), ("a", "b")]):
        nodes.due(["a", "b"], 0)
        nodes.record(dict.fromkeys(failed, ERROR), good, 0)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "a, b" in caplog.records[0].message
    assert "Forbidden: 403" in caplog.records[0].message


def test_many_nodes_are_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    names = [f"node-{number}" for number in range(10)]
    nodes = Nodes(Api(), interval=15)
    nodes.due(names, 0)
    nodes.record(dict.fromkeys(names, ERROR), (), 0)
    (record,) = caplog.records
    assert "node-0, node-1, node-2 and 7 other nodes" in record.message
