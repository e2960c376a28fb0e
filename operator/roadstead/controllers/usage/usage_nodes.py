"""The nodes that host servers: the addresses of their kubelets, and which kubelets fail."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from roadstead.api.raw import Raw, section
from roadstead.controllers.object_access import ObjectReader
from roadstead.errors import KubeError, UsageError
from roadstead.exponential_backoff import Backoff
from roadstead.kube.resources import NODES
from roadstead.usage.kubelet import KubeletEndpoint

logger = logging.getLogger(__name__)

KUBELET_PORT: Final = 10250
ADDRESS_MAX_AGE_SECONDS: Final = 600.0
"""How long a node's address is used; it is also read again after a failure."""
MAX_KUBELET_PAUSE_SECONDS: Final = 300.0
"""The longest pause before a failing kubelet is asked again."""
LOGGED_NODES: Final = 3
"""The number of nodes that a log line names."""


@dataclasses.dataclass(kw_only=True)
class _Node:
    endpoint: KubeletEndpoint | None = None
    read_at: float = 0.0
    failures: int = 0
    ask_at: float = 0.0


class Nodes:
    """The nodes with servers, read by name."""

    def __init__(self, client: ObjectReader, *, interval: float) -> None:
        self._client = client
        self._interval = interval
        self._nodes: dict[str, _Node] = {}

    def due(self, names: Iterable[str], now: float) -> list[str]:
        """The nodes among these to ask now; all others are forgotten. `now` is in seconds."""
        self._nodes = {name: self._nodes.get(name, _Node()) for name in names}
        return [name for name, node in self._nodes.items() if node.ask_at <= now]

    async def endpoint(self, name: str, now: float) -> KubeletEndpoint:
        """The address of its kubelet; raises UsageError if it can't be read."""
        node = self._nodes[name]
        if node.endpoint is None or now - node.read_at > ADDRESS_MAX_AGE_SECONDS:
            try:
                found = await self._client.get(NODES, name)
            except KubeError as error:
                raise UsageError("NodeUnknown", str(error)) from error
            node.endpoint, node.read_at = endpoint_of(found), now
        return node.endpoint

    def record(self, failed: Mapping[str, UsageError], good: Collection[str], now: float) -> None:
        """Record the results of a round, and log the nodes whose state changed."""
        newly_failed = [name for name in failed if not self._nodes[name].failures]
        recovered = [name for name in good if self._nodes[name].failures]
        for name in failed:
            node = self._nodes[name]
            node.failures, node.endpoint = node.failures + 1, None
            node.ask_at = now + pause(node.failures, self._interval)
        for name in good:
            self._nodes[name].failures, self._nodes[name].ask_at = 0, 0.0
        if newly_failed:
            error = failed[newly_failed[0]]
            logger.warning(
                "cannot read usage from the kubelet of %s (%s: %s); using metrics.k8s.io, which "
                "has no peaks",
                _list_some(newly_failed),
                error.reason,
                error,
            )
        if recovered:
            logger.info("the kubelet of %s reports usage again", _list_some(recovered))


def pause(failures: int, interval: float) -> float:
    """Seconds before a kubelet is asked again after so many consecutive failures."""
    if failures < 2:
        return 0.0
    return Backoff(first=interval, longest=MAX_KUBELET_PAUSE_SECONDS).delay(failures)


def endpoint_of(node: Raw) -> KubeletEndpoint:
    """Its InternalIP and its kubelet's port; raises UsageError if it has no address yet."""
    status = section(node, "status")
    for item in status.get("addresses") or ():
        if item.get("type") == "InternalIP":
            port = section(status, "daemonEndpoints", "kubeletEndpoint").get("Port")
            return KubeletEndpoint(address=item["address"], port=port or KUBELET_PORT)
    raise UsageError("NodeUnknown", f"node {section(node, 'metadata').get('name')} has no address")


def _list_some(names: list[str]) -> str:
    shown, rest = ", ".join(sorted(names)[:LOGGED_NODES]), len(names) - LOGGED_NODES
    return shown if rest <= 0 else f"{shown} and {rest} other nodes"
