"""The nodes that host servers: where their kubelets listen, and which of them can't be asked."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Protocol

from roadstead.api.raw import Raw, section
from roadstead.errors import KubeError, UsageError
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import NODES, Resource
from roadstead.usage.kubelet import KubeletEndpoint

logger = logging.getLogger(__name__)

KUBELET_PORT: Final = 10250
KEEP_SECONDS: Final = 600.0
"""How long a node's address is taken to hold; it is asked for anew after a failure too."""
SLOWEST_SECONDS: Final = 300.0
"""Between questions to a kubelet that has failed again and again."""
NAMED: Final = 3
"""So many nodes are named in one line of the log."""


class NodeReader(Protocol):
    """The part of the API client that reads a node."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object."""


@dataclasses.dataclass(kw_only=True)
class _Node:
    endpoint: KubeletEndpoint | None = None
    read_at: float = 0.0
    failures: int = 0
    ask_at: float = 0.0


class Nodes:
    """Only nodes with servers are read, by name: the others are none of our concern."""

    def __init__(self, client: NodeReader, *, interval: float) -> None:
        self._client = client
        self._interval = interval
        self._nodes: dict[str, _Node] = {}

    def due(self, names: Iterable[str], now: float) -> list[str]:
        """Which of these to ask now; the others are forgotten. `now` is in seconds."""
        self._nodes = {name: self._nodes.get(name, _Node()) for name in names}
        return [name for name, node in self._nodes.items() if node.ask_at <= now]

    async def endpoint(self, name: str, now: float) -> KubeletEndpoint:
        """Where its kubelet listens; UsageError where that can't be found out."""
        node = self._nodes[name]
        if node.endpoint is None or now - node.read_at > KEEP_SECONDS:
            try:
                found = await self._client.get(NODES, name)
            except KubeError as error:
                raise UsageError("NodeUnknown", str(error)) from error
            node.endpoint, node.read_at = endpoint_of(found), now
        return node.endpoint

    def heard(self, failed: Mapping[str, UsageError], good: Collection[str], now: float) -> None:
        """Take in what came of a round, and tell of those whose state has turned."""
        fallen = [name for name in failed if not self._nodes[name].failures]
        risen = [name for name in good if self._nodes[name].failures]
        for name in failed:
            node = self._nodes[name]
            node.failures, node.endpoint = node.failures + 1, None
            node.ask_at = now + pause(node.failures, self._interval)
        for name in good:
            self._nodes[name].failures, self._nodes[name].ask_at = 0, 0.0
        if fallen:
            error = failed[fallen[0]]
            logger.warning(
                "the kubelet of %s can't be asked for usage (%s: %s): metrics.k8s.io is, which "
                "knows no peaks",
                _some(fallen),
                error.reason,
                error,
            )
        if risen:
            logger.info("the kubelet of %s tells usage again", _some(risen))


def pause(failures: int, interval: float) -> float:
    """Seconds before a kubelet that failed so many times in a row is asked again."""
    if failures < 2:
        return 0.0
    return float(min(SLOWEST_SECONDS, interval * 2 ** min(failures - 1, 16)))


def endpoint_of(node: Raw) -> KubeletEndpoint:
    """Its InternalIP and its kubelet's port; UsageError where it has no address yet."""
    status = section(node, "status")
    for item in status.get("addresses") or ():
        if item.get("type") == "InternalIP":
            port = section(status, "daemonEndpoints", "kubeletEndpoint").get("Port")
            return KubeletEndpoint(address=item["address"], port=port or KUBELET_PORT)
    raise UsageError("NodeUnknown", f"node {section(node, 'metadata').get('name')} has no address")


def _some(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} other nodes"
