"""The first lists of the operator's kinds, the resync, restores, and silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from roadstead.errors import ClusterRestored, KubeNotFound
from roadstead.kube.kube_client import Page
from roadstead.kube.resources import HTTPROUTES, PODS, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.watching.watched_kinds import ROUTED, WATCHED, WatchedKinds


class Cluster:
    """A client with one version and empty lists; `absent` kinds are not installed."""

    def __init__(self, version: int = 40, *absent: Resource) -> None:
        self.absent = set(absent)
        self._version = version

    async def list(self, resource: Resource, **_: Any) -> AsyncIterator[Page]:
        """As KubeClient."""
        if resource in self.absent:
            raise KubeNotFound("not installed", status=404)
        yield Page(version=self._version, items=[])

    async def version(self, resource: Resource, **_: Any) -> int:
        """As KubeClient."""
        if resource in self.absent:
            raise KubeNotFound("not installed", status=404)
        return self._version


def kinds(cluster: Cluster, *, seen: int = 0) -> WatchedKinds:
    """The kinds of this cluster, after version `seen` was read of its pods."""
    cache = WatchCache()
    cache.note_version(PODS, seen)
    return WatchedKinds(cluster, cache, changed=lambda *_: None)


def measured(resource: Resource) -> float | None:
    """The silence of a kind's watch by the metric, in seconds."""
    name = "roadstead_watch_silence_seconds"
    return REGISTRY.get_sample_value(name, {"resource": resource.plural})


async def test_watches_continue_from_the_first_lists() -> None:
    found = kinds(Cluster(40))
    await found.fill()
    assert {await found.prepare(resource) for resource in (*WATCHED, *ROUTED)} == {40}


async def test_a_missing_kind_of_routes_is_known_until_it_is_installed() -> None:
    cluster = Cluster(40, HTTPROUTES)
    found = kinds(cluster)
    await found.fill()
    assert found.missing == {HTTPROUTES}
    cluster.absent.clear()
    await found.relist_all()
    assert found.missing == set()


async def test_the_silence_of_a_watched_kind_of_routes_is_measured() -> None:
    found = kinds(Cluster())
    await found.prepare(HTTPROUTES)
    assert (measured(HTTPROUTES) or float("inf")) < 60
    assert found.longest_silence()[1] == HTTPROUTES.plural


async def test_a_kind_that_was_uninstalled_is_not_silent() -> None:
    cluster = Cluster()
    found = kinds(cluster)
    await found.prepare(HTTPROUTES)
    cluster.absent.add(HTTPROUTES)
    with pytest.raises(KubeNotFound):
        await found.prepare(HTTPROUTES)
    assert found.longest_silence() == (0.0, "")


async def test_a_resumed_watch_after_a_restore_stops_the_operator() -> None:
    found = kinds(Cluster(39), seen=40)
    found.sync(PODS).state.listed(40)
    with pytest.raises(ClusterRestored):
        await found.prepare(PODS)
    with pytest.raises(ClusterRestored):
        await found.until_restored()


async def test_a_list_after_a_restore_stops_the_operator() -> None:
    found = kinds(Cluster(39), seen=40)
    await found.relist_all()
    with pytest.raises(ClusterRestored):
        await found.until_restored()
