"""Our own list follows each list of kopf's, including an empty one."""

from collections.abc import AsyncIterator

import pytest

from roadstead.errors import ClusterRestored
from roadstead.kube.kube_client import Page
from roadstead.kube.resources import PODS, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.watching.relist import Relist
from roadstead.watching.watch_health import WatchHealth


def reported_kinds(*answers: bool) -> list[str]:
    """The kinds reported as listed after lists (False) and watches (True) of pods."""
    reported: list[str] = []
    health = WatchHealth(listed=reported.append)
    for watch in answers:
        health.answered("pods", watch=watch)
    return reported


class Cluster:
    """A client with one version and empty lists."""

    def __init__(self, version: int) -> None:
        self._version = version

    async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """Like KubeClient."""
        yield Page(version=self._version, items=[])

    async def version(self, resource: Resource) -> int:
        """Like KubeClient."""
        return self._version


def listing(version: int, *, seen: int) -> Relist:
    """A Relist of a cluster at this version, after `seen` was read of its pods."""
    cache = WatchCache()
    cache.note_version(PODS, seen)
    return Relist(Cluster(version), cache, changed=lambda *_: None)


def test_a_list_is_reported_once_its_watch_starts() -> None:
    assert reported_kinds(False) == []
    assert reported_kinds(False, True) == ["pods"]


def test_a_list_in_pages_is_reported_once() -> None:
    assert reported_kinds(False, False, False, True) == ["pods"]


def test_a_resumed_watch_is_not_reported_as_a_list() -> None:
    assert reported_kinds(False, True, True) == ["pods"]


def test_a_watch_after_a_failure_is_reported_as_a_list() -> None:
    reported: list[str] = []
    health = WatchHealth(listed=reported.append)
    health.failed("pods")
    health.answered("pods", watch=True)
    assert reported == ["pods"]


async def test_a_resumed_watch_after_a_restore_stops_the_operator() -> None:
    lists = listing(39, seen=40)
    lists.resumed("pods")
    with pytest.raises(ClusterRestored):
        await lists.until_restored()


async def test_a_list_after_a_restore_stops_the_operator() -> None:
    lists = listing(39, seen=40)
    lists.listed("pods")
    with pytest.raises(ClusterRestored):
        await lists.until_restored()
