"""A list of our own follows each list of kopf's, an empty one too."""

from collections.abc import AsyncIterator

import pytest

from roadstead.controllers.relist import Relist
from roadstead.controllers.watch_health import WatchHealth
from roadstead.errors import ClusterRestored
from roadstead.kube.kube_client import Page
from roadstead.kube.resources import PODS, Resource
from roadstead.kube.watch_cache import WatchCache


def heard(*answers: bool) -> list[str]:
    """The kinds that were told to be listed, after lists (False) and watches (True) of Pods."""
    told: list[str] = []
    health = WatchHealth(listed=told.append)
    for watch in answers:
        health.answered("pods", watch=watch)
    return told


class Cluster:
    """Whose versions are told, and whose lists are empty."""

    def __init__(self, version: int) -> None:
        self._version = version

    async def list(self, resource: Resource, *, selector: str = "") -> AsyncIterator[Page]:
        """As KubeClient."""
        yield Page(version=self._version, items=[])

    async def version(self, resource: Resource) -> int:
        """As KubeClient."""
        return self._version


def listing(version: int, *, seen: int) -> Relist:
    """Of a cluster at this version, of whose Pods a higher one may have been seen."""
    cache = WatchCache()
    cache.note_version(PODS, seen)
    return Relist(Cluster(version), cache, changed=lambda *_: None)


def test_a_list_counts_once_its_watch_goes_on_from_there() -> None:
    assert heard(False) == []
    assert heard(False, True) == ["pods"]


def test_a_list_in_pages_counts_once() -> None:
    assert heard(False, False, False, True) == ["pods"]


def test_a_watch_that_begins_again_has_listed_nothing() -> None:
    assert heard(False, True, True) == ["pods"]


def test_a_watch_that_is_had_again_after_a_failure_counts_as_listed() -> None:
    told: list[str] = []
    health = WatchHealth(listed=told.append)
    health.failed("pods")
    health.answered("pods", watch=True)
    assert told == ["pods"]


async def test_a_watch_that_resumes_in_a_cluster_that_went_back_ends_the_operator() -> None:
    lists = listing(39, seen=40)
    lists.resumed("pods")
    with pytest.raises(ClusterRestored):
        await lists.until_restored()


async def test_a_list_of_a_cluster_that_went_back_ends_the_operator() -> None:
    lists = listing(39, seen=40)
    lists.listed("pods")
    with pytest.raises(ClusterRestored):
        await lists.until_restored()
