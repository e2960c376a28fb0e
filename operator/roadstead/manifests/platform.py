"""The installation's settings for every server: images, network peers, fetch connections."""

from __future__ import annotations

import dataclasses
from typing import Literal

from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.llama.llama_flags import ALL_IPV4
from roadstead.api.network_peers import NO_PEERS, ServerPeers
from roadstead.api.pull_secrets import PullSecret
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
    """The operator's pods there may call every server."""
    pull_policy: PullPolicy = "IfNotPresent"
    fixed_user: bool = True
    """False if the cluster assigns the user and groups of pods, as OpenShift does."""
    fetch_connections: int = 3
    """Ranges that one fetch reads at once."""
    gateway_peers: tuple[Raw, ...] = ()
    """Other peers that may call the servers' port."""
    pull_secrets: tuple[PullSecret, ...] = ()
    """Secrets of every server's pods for private registries, beside `config.imagePullSecrets`."""
    routing: Routing | None = None
    """The gateway; None if servers are reachable only within the cluster, without a key."""
    peers: ServerPeers = NO_PEERS
    """Who else may call servers, and whom their pods may call."""
    server_host: str = ALL_IPV4
    """The addresses that servers listen on: all of IPv4, or `::`, all of both families."""
    trust: TrustMode | None = None
    """How the private authorities in the fetch Secret are trusted; None without any."""
    devices: DeviceNames = DEFAULT_DEVICES
    """Which resources are devices, for the defaults of servers that have some."""
