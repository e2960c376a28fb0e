"""kopf's watches: each event updates the cache and is dispatched.

Only `on.event` handlers are registered. So kopf writes nothing: no finalizer and no annotation with
a copy of the spec, and an object that can't be handled does not block others.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import kopf

from roadstead.kube.kind_sync import KindSync
from roadstead.kube.kube_client import configuration_of
from roadstead.kube.resources import Resource
from roadstead.kube.watch_state import WATCH_BACKOFF, WatchBackoff
from roadstead.watching.connection import SessionFactory
from roadstead.watching.no_persistence import NoDiffBase, NoProgress
from roadstead.watching.watched_kinds import ROUTED, WATCHED, WatchedKinds

_NEVER_SECONDS: Final = 86_400.0
"""Longer than any watch: `connection.py` closes silent watches, and lists before it watches, which
may take long."""


class _Backoffs:
    """Endless delays between attempts to reach the API server.

    kopf exits at the end of its list of delays, by default after 55 seconds of errors.
    """

    def __iter__(self) -> Iterator[float]:
        return map(WATCH_BACKOFF.jittered, itertools.count(1))


def registry(
    watched: WatchedKinds, kinds: Iterable[Resource], *, kubeconfig: str
) -> kopf.OperatorRegistry:
    """A kopf registry with one event handler for each of these kinds.

    `kubeconfig` is empty in a pod; kopf must watch the API server that we write to.
    """
    handlers = kopf.OperatorRegistry()
    connection = SessionFactory(kinds={each.plural: each for each in kinds}, watched=watched)
    kopf.on.login(registry=handlers)(_login(kubeconfig, connection))
    for resource in connection.kinds.values():
        _watch(handlers, watched.sync(resource))
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
    chosen.watching.reconnect_backoff = 1
    chosen.watching.inactivity_timeout = _NEVER_SECONDS
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
    backoff = WatchBackoff()

    async def login(**given: Any) -> kopf.AiohttpSession | None:
        await asyncio.sleep(backoff.pause())
        backoff.begin()
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


def _watch(handlers: kopf.OperatorRegistry, sync: KindSync) -> None:
    kind = sync.resource

    @kopf.on.event(kind.group, kind.version, kind.plural, id=kind.plural, registry=handlers)
    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        sync.apply({"type": event["type"], "object": dict(event["object"])})
