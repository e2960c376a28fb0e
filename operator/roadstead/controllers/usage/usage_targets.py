"""The servers and pods to measure, from the cache; pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from roadstead.api.pod_findings import is_ready
from roadstead.api.quantity import parse_quantity
from roadstead.api.raw import Raw, section
from roadstead.controllers.model_names import model_name
from roadstead.controllers.server_pods import pods_key_of
from roadstead.errors import InvalidResource
from roadstead.kube.resources import PODS
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.manifests import names
from roadstead.usage.readings import PodName
from roadstead.usage.usage_metrics import Labels

_TERMINATED_PHASES = ("Succeeded", "Failed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PodTarget:
    """A pod on a node; `containers` are the IDs of its containers, without init containers."""

    name: PodName
    uid: str
    node: str
    containers: Mapping[str, str]
    memory_limit: int | None
    """The sum over its containers, in bytes; None if one has no limit."""
    address: str
    """The address of llama-server; empty while the pod is not ready."""
    life: str
    """The ID of llama-server's container: another ID means another process."""
    started: float
    """When that container started, in Unix time; 0 if it has not."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerTarget:
    """One ModelServe and its pods."""

    uuid: str
    name: Name
    labels: Labels
    status: Raw
    pods: tuple[PodTarget, ...]

    @property
    def known_max(self) -> int:
        """The maximum in its status."""
        return int(self.status.get("memoryMaxBytes", 0))

    @property
    def memory_limit(self) -> int | None:
        """The sum over its pods, in bytes; None if one has no limit, or there is no pod."""
        limits = [pod.memory_limit for pod in self.pods if pod.memory_limit is not None]
        return sum(limits) if limits and len(limits) == len(self.pods) else None


def targets(cache: WatchCache) -> Iterator[ServerTarget]:
    """Every ModelServe with its pods."""
    for serve in cache.serves():
        meta = serve.meta
        pods = [pod_target(pod) for pod in cache.indexed(PODS, pods_key_of(serve)) if _counts(pod)]
        yield ServerTarget(
            uuid=serve.server_id,
            name=(meta.namespace, meta.name),
            labels=(meta.namespace, meta.name, serve.server_id, model_name(cache, serve)),
            status=serve.status,
            pods=tuple(pods),
        )


def _counts(pod: Raw) -> bool:
    return bool(section(pod, "spec").get("nodeName")) and (
        section(pod, "status").get("phase") not in _TERMINATED_PHASES
    )


def pod_target(pod: Raw) -> PodTarget:
    """The target of a pod on a node."""
    meta, spec, status = (section(pod, part) for part in ("metadata", "spec", "status"))
    containers: Sequence[Raw] = spec.get("containers") or ()
    states: Sequence[Raw] = status.get("containerStatuses") or ()
    ids = {item["name"]: _bare(item.get("containerID", "")) for item in states}
    server = next((item for item in states if item["name"] == names.SERVER), {})
    # With hostNetwork the address is the node's, where any process may listen.
    reachable = is_ready(pod) and not spec.get("hostNetwork")
    return PodTarget(
        name=(meta.get("namespace", ""), meta["name"]),
        uid=meta.get("uid", ""),
        node=spec.get("nodeName", ""),
        containers={item["name"]: ids.get(item["name"], "") for item in containers},
        memory_limit=_limit(containers),
        address=status.get("podIP", "") if reachable else "",
        life=server.get("containerID", ""),
        started=_unix(section(server, "state", "running").get("startedAt", "")),
    )


def _bare(container_id: str) -> str:
    """A container's ID without the prefix of the runtime: `containerd://0d1d…`."""
    return container_id.rpartition("//")[2]


def _limit(containers: Sequence[Raw]) -> int | None:
    total = Decimal(0)
    for container in containers:
        limit = section(container, "resources", "limits").get("memory")
        if limit is None:
            return None
        try:
            total += parse_quantity(limit, field="limits.memory")
        except InvalidResource:
            return None
    return int(total)


def _unix(moment: str) -> float:
    try:
        return datetime.datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
