"""kopf's watches: each event updates the cache and is dispatched.

Only `on.event` handlers are registered. So kopf writes nothing: no finalizer and no annotation with
a copy of the spec, and an object that can't be handled does not block others.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import kopf

from roadstead.api.group import FIELD_MANAGER, LABEL_MANAGED_BY
from roadstead.api.raw import Raw
from roadstead.exponential_backoff import Backoff
from roadstead.kube.kube_client import configuration_of
from roadstead.kube.resources import (
    CHILDREN,
    MODELS,
    MODELSERVES,
    NAMESPACES,
    PODS,
    RESOURCECONTRACTS,
    ROUTES,
    Resource,
)
from roadstead.kube.watch_cache import WatchCache
from roadstead.watching.connection import SessionFactory
from roadstead.watching.no_persistence import NoDiffBase, NoProgress
from roadstead.watching.watch_health import WatchHealth

logger = logging.getLogger(__name__)
OURS: Final = f"{LABEL_MANAGED_BY}={FIELD_MANAGER}"
WATCHED: Final[dict[Resource, str]] = {
    MODELS: "",
    MODELSERVES: "",
    RESOURCECONTRACTS: "",
    NAMESPACES: "",
    PODS: OURS,
    **dict.fromkeys(CHILDREN, OURS),
}
"""The watched kinds with their label selectors."""
ROUTED: Final[dict[Resource, str]] = dict.fromkeys(ROUTES, OURS)
"""The kinds that are also listed, and watched if there is a gateway."""
Changed = Callable[[Resource, Raw], None]


def is_own_write(cache: WatchCache, resource: Resource, line: bytes) -> bool:
    """Whether the cache already has the object of a watch event.

    False for a deletion, which only the watch reports.
    """
    try:
        event = json.loads(line)
        return event["type"] in ("ADDED", "MODIFIED") and cache.knows(resource, event["object"])
    except (ValueError, KeyError):
        return False  # kopf reports what is wrong with it.


_BACKOFF: Final = Backoff(first=0.25, longest=30.0)


class _Backoffs:
    """Endless delays between attempts to reach the API server.

    kopf exits at the end of its list of delays, by default after 55 seconds of errors.
    """

    def __iter__(self) -> Iterator[float]:
        attempt = 0
        while True:
            attempt += 1
            yield _BACKOFF.jittered(attempt)


def registry(
    cache: WatchCache,
    watched: Iterable[Resource],
    *,
    kubeconfig: str,
    changed: Changed,
    health: WatchHealth,
) -> kopf.OperatorRegistry:
    """A kopf registry with one event handler per kind.

    `kubeconfig` is empty in a pod; kopf must watch the API server that we write to.
    `changed` is called with each created, changed or deleted object. `health` records all events.
    """
    handlers = kopf.OperatorRegistry()
    kinds = {resource.plural: resource for resource in watched}
    connection = SessionFactory(
        kinds=kinds,
        health=health,
        known=lambda kind, line: is_own_write(cache, kinds[kind], line),
    )
    kopf.on.login(registry=handlers)(_login(kubeconfig, connection))
    for resource in kinds.values():
        _watch(handlers, cache, resource, changed)
    return handlers


def settings() -> kopf.OperatorSettings:
    """kopf's settings: bounded waits, endless retries, no Events, no scan of the API."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.networking.error_backoffs = _Backoffs()
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 5
    chosen.watching.server_timeout = 300
    chosen.watching.reconnect_backoff = 1
    chosen.watching.chunk_size = 500
    chosen.queueing.idle_timeout = 1
    chosen.persistence.diffbase_storage = NoDiffBase()
    chosen.persistence.progress_storage = NoProgress()
    for resource, selector in {**WATCHED, **ROUTED}.items():
        if selector:
            key = (resource.group, resource.version, resource.plural)
            chosen.watching.label_selectors[key] = selector
    return chosen


def _login(kubeconfig: str, connection: SessionFactory) -> Callable[..., Any]:
    async def login(**given: Any) -> kopf.AiohttpSession | None:
        await connection.backoff.wait("login")
        if not kubeconfig:
            account = kopf.login_with_service_account(**given)
            return connection.session(account) if account is not None else None
        return connection.session(await by_kubeconfig())

    async def by_kubeconfig() -> kopf.ConnectionInfo:
        found = await configuration_of(kubeconfig)
        key = await found.get_api_key_with_prefix("BearerToken")
        scheme, _, token = (key or "").rpartition(" ")
        return kopf.ConnectionInfo(
            server=found.host,
            ca_path=found.ssl_ca_cert,
            insecure=not found.verify_ssl,
            scheme=scheme or None,
            token=token or None,
            certificate_path=found.cert_file,
            private_key_path=found.key_file,
            proxy_url=found.proxy,
        )

    return login


def _watch(
    handlers: kopf.OperatorRegistry,
    cache: WatchCache,
    resource: Resource,
    changed: Changed,
) -> None:
    @kopf.on.event(
        resource.group, resource.version, resource.plural, id=resource.plural, registry=handlers
    )
    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        raw: Raw = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            **event["object"],
        }
        if event["type"] == "DELETED":
            cache.deleted(resource, raw)
            changed(resource, raw)
        else:
            for each in cache.take(resource, raw):
                changed(resource, each)
