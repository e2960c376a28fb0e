"""Prometheus metrics of the objects: set when they change, removed with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from roadstead import metrics
from roadstead.api import conditions
from roadstead.api.conditions import phase
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
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
    """Updates the metrics of Models, ModelServes and contracts from the cache."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._labels: dict[str, tuple[str, ...]] = {}
        self._phases: dict[str, str] = {}
        self._named: dict[str, frozenset[str]] = {}

    def update(self, resource: Resource, raw: Raw) -> None:
        """Update the metrics of an object that was created, changed or deleted."""
        meta = section(raw, "metadata")
        if resource == MODELSERVES:
            serve = self._cache.serve((meta["namespace"], meta["name"]))
            current = serve is not None and serve.meta.uid == meta["uid"]
            self._update_server(meta["uid"], serve if current else None)
        elif resource == MODELS:
            self._update_model(meta["name"], self._cache.model(meta["name"]))
        elif resource == RESOURCECONTRACTS:
            self._update_contract(meta["name"], self._cache.contract(meta["name"]))

    def _update_server(self, uid: str, serve: ModelServe | None) -> None:
        labels = None
        if serve is not None:
            meta, named = serve.meta, model_name(self._cache, serve)
            labels = (meta.namespace, meta.name, serve.server_id, named)
            ready = conditions.find(serve.raw, "Ready")
            metrics.SERVER_READY.labels(*labels).set(ready is not None and ready.true)
            metrics.SERVER_REPLICAS.labels(*labels).set(serve.replicas)
            ready_replicas = serve.status.get("readyReplicas", 0)
            metrics.SERVER_REPLICAS_READY.labels(*labels).set(ready_replicas)
        before = self._labels.pop(uid, None)
        if before is not None and before != labels:
            for gauge in _SERVERS:
                gauge.remove(*before)
        if labels is not None:
            self._labels[uid] = labels

    def _update_contract(self, name: str, contract: ResourceContract | None) -> None:
        before = self._named.pop(name, frozenset())
        if named := _update_contract(name, contract, before):
            self._named[name] = named

    def _update_model(self, name: str, model: Model | None) -> None:
        if model is None:
            self._phases.pop(name, None)
            metrics.MODEL_SIZE.remove(name)
        else:
            self._phases[name] = phase(model.raw)
            metrics.MODEL_SIZE.labels(name).set(model.size)
        counts = Counter(self._phases.values())
        for each in _PHASES:
            metrics.MODELS.labels(each).set(counts[each])


def _remove_resources(contract: str, resources: Iterable[str]) -> None:
    for resource in resources:
        metrics.CONTRACT_USED.remove(contract, resource)
        metrics.CONTRACT_LIMIT.remove(contract, resource)


def _update_contract(
    name: str, contract: ResourceContract | None, named: frozenset[str]
) -> frozenset[str]:
    """Update its metrics; returns the resources limited by name, `named` are those before."""
    if contract is None:
        metrics.CONTRACT_EXPIRY.remove(name)
        _remove_resources(name, {resource for resource, _ in _RESOURCES.values()} | named)
        return frozenset()
    _remove_resources(name, named - contract.total.resources.keys())
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
