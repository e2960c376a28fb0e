"""Prometheus metrics of the objects: set when they change, removed with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from roadstead import metrics
from roadstead.api import conditions
from roadstead.api.contract import ResourceContract
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.phase import phase
from roadstead.api.raw import Raw, section
from roadstead.controllers.model_names import model_name
from roadstead.kube.resources import MODELS, MODELSERVES, RESOURCECONTRACTS, Resource
from roadstead.kube.watch_cache import WatchCache

_PHASES: Final = ("Pending", "Ready", "Failed")
_MILLI: Final = 1000
_SERVERS: Final = (
    metrics.SERVER_READY,
    metrics.SERVER_REPLICAS,
    metrics.SERVER_REPLICAS_READY,
)
_RESOURCES: Final = {
    "servers": ("servers", 1),
    "replicas": ("replicas", 1),
    "cpu_milli": ("cpu", _MILLI),
    "memory_bytes": ("memory", 1),
    "gpu": ("gpu", 1),
}


class ObjectMetrics:
    """Keeps the metrics of Models, ModelServes and contracts to what the cache has."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._labels: dict[str, tuple[str, ...]] = {}
        self._phases: dict[str, str] = {}
        self._named: dict[str, frozenset[str]] = {}

    def see(self, resource: Resource, raw: Raw) -> None:
        """An object is new, other or gone."""
        meta = section(raw, "metadata")
        if resource == MODELSERVES:
            self._server(meta["uid"], self._cache.current(resource, raw))
        elif resource == MODELS:
            self._model(meta["name"], self._cache.get(resource, meta["name"]))
        elif resource == RESOURCECONTRACTS:
            self._contract(meta["name"], self._cache.get(resource, meta["name"]))

    def _server(self, uid: str, raw: Raw | None) -> None:
        labels = None
        if raw is not None:
            serve = ModelServe.parse(raw)
            labels = (serve.meta.namespace, serve.meta.name, uid, model_name(self._cache, serve))
            ready = conditions.find(raw, "Ready")
            metrics.SERVER_READY.labels(*labels).set(ready is not None and ready.true)
            metrics.SERVER_REPLICAS.labels(*labels).set(serve.replicas)
            answering = serve.status.get("readyReplicas", 0)
            metrics.SERVER_REPLICAS_READY.labels(*labels).set(answering)
        before = self._labels.pop(uid, None)
        if before is not None and before != labels:
            for gauge in _SERVERS:
                gauge.remove(*before)
        if labels is not None:
            self._labels[uid] = labels

    def _contract(self, name: str, raw: Raw | None) -> None:
        before = self._named.pop(name, frozenset())
        if named := _contract(name, raw, before):
            self._named[name] = named

    def _model(self, name: str, raw: Raw | None) -> None:
        if raw is None:
            self._phases.pop(name, None)
            metrics.MODEL_SIZE.remove(name)
        else:
            self._phases[name] = phase(raw)
            metrics.MODEL_SIZE.labels(name).set(Model.parse(raw).size)
        counts = Counter(self._phases.values())
        for each in _PHASES:
            metrics.MODELS.labels(each).set(counts[each])


def _forget(contract: str, resources: Iterable[str]) -> None:
    for resource in resources:
        metrics.CONTRACT_USED.remove(contract, resource)
        metrics.CONTRACT_LIMIT.remove(contract, resource)


def _contract(name: str, raw: Raw | None, named: frozenset[str]) -> frozenset[str]:
    """The resources that it limits by name; `named` are those that it limited before."""
    if raw is None:
        metrics.CONTRACT_EXPIRY.remove(name)
        _forget(name, {resource for resource, _ in _RESOURCES.values()} | named)
        return frozenset()
    contract = ResourceContract.parse(raw)
    _forget(name, named - contract.total.resources.keys())
    resources = {**_RESOURCES, **{each: (each, 1) for each in contract.total.resources}}
    for field, (resource, unit) in resources.items():
        metrics.CONTRACT_USED.labels(name, resource).set(contract.used.parts.get(field, 0) / unit)
        limit = contract.total.bounds.get(field)
        if limit is None:
            metrics.CONTRACT_LIMIT.remove(name, resource)
        else:
            metrics.CONTRACT_LIMIT.labels(name, resource).set(limit / unit)
    if contract.expires_at is None:
        metrics.CONTRACT_EXPIRY.remove(name)
    else:
        metrics.CONTRACT_EXPIRY.labels(name).set(contract.expires_at.timestamp())
    return frozenset(contract.total.resources)
