"""What the installation says about every server: images, peers, the fetch's width."""

from __future__ import annotations

import dataclasses
from typing import Literal

from roadstead.api.raw import Raw
from roadstead.manifests.gateway import Routing

PullPolicy = Literal["Always", "IfNotPresent", "Never"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Platform:
    """Read once from the operator's settings.

    A peer is a `NetworkPolicyPeer` as in networking.k8s.io/v1: `{"podSelector": ...,
    "namespaceSelector": ...}` or `{"ipBlock": ...}`.
    """

    operator_image: str
    """Holds `roadstead fetch`, which the init container runs."""
    server_image: str
    """Holds `llama-server` as its entrypoint; `spec.config.image` of a ModelServe goes first."""
    operator_namespace: str
    """Its pods may call every server."""
    pull_policy: PullPolicy = "IfNotPresent"
    fetch_connections: int = 3
    """Ranges that one fetch reads at once."""
    gateway_peers: tuple[Raw, ...] = ()
    """Who else may call the servers' port."""
    routing: Routing | None = None
    """The gateway; None where servers are reached within the cluster alone, without a key."""
    store_peers: tuple[Raw, ...] = ()
    """Where the store is; empty means any address, at the store's port alone."""
