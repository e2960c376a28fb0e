"""The installation's settings for every server: images, network peers, fetch connections."""

from __future__ import annotations

import dataclasses
from typing import Literal

from roadstead.api.llama.llama_flags import ALL_IPV4
from roadstead.api.raw import Raw
from roadstead.manifests.gateway import Routing

PullPolicy = Literal["Always", "IfNotPresent", "Never"]
TrustMode = Literal["add", "replace"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Platform:
    """Read once from the operator's settings.

    A peer is a `NetworkPolicyPeer` as in networking.k8s.io/v1: `{"podSelector": ...,
    "namespaceSelector": ...}` or `{"ipBlock": ...}`.
    """

    operator_image: str
    """The image with `roadstead fetch`, which the init container runs."""
    server_image: str
    """The image with `llama-server` as its entrypoint, unless a ModelServe sets `config.image`."""
    operator_namespace: str
    """Its pods may call every server."""
    pull_policy: PullPolicy = "IfNotPresent"
    fetch_connections: int = 3
    """Ranges that one fetch reads at once."""
    gateway_peers: tuple[Raw, ...] = ()
    """Other peers that may call the servers' port."""
    routing: Routing | None = None
    """The gateway; None if servers are reachable only within the cluster, without a key."""
    server_host: str = ALL_IPV4
    """The addresses that servers listen on: all of IPv4, or `::`, all of both families."""
    trust: TrustMode | None = None
    """How the private authorities in the fetch Secret are trusted; None without any."""
    store_peers: tuple[Raw, ...] = ()
    """The peers of the store; empty means any address, but only the store's port."""
