"""Events of our own writes are recognized."""

import json
from typing import Any

import pytest

from roadstead.kube.resources import MODELS
from roadstead.kube.watch_cache import WatchCache
from roadstead.watching.watches import is_own_write


def model(version: int, *, uid: str = "u") -> dict[str, Any]:
    return {"metadata": {"name": "gemma", "uid": uid, "resourceVersion": str(version)}}


def line(kind: str, raw: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": raw}).encode()


@pytest.fixture
def cache() -> WatchCache:
    """A cache with an object at version 5."""
    found = WatchCache()
    found.put(MODELS, model(5))
    return found


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED"])
@pytest.mark.parametrize("version", [4, 5])
def test_a_known_version_is_an_own_write(cache: WatchCache, kind: str, version: int) -> None:
    assert is_own_write(cache, MODELS, line(kind, model(version)))


def test_a_newer_version_is_not_an_own_write(cache: WatchCache) -> None:
    assert not is_own_write(cache, MODELS, line("MODIFIED", model(6)))


def test_another_object_of_the_name_is_not_an_own_write(cache: WatchCache) -> None:
    assert not is_own_write(cache, MODELS, line("ADDED", model(6, uid="other")))


def test_an_event_of_a_deleted_object_is_an_own_write(cache: WatchCache) -> None:
    cache.deleted(MODELS, model(8))
    assert is_own_write(cache, MODELS, line("MODIFIED", model(7)))


def test_a_deletion_is_not_an_own_write(cache: WatchCache) -> None:
    assert not is_own_write(cache, MODELS, line("DELETED", model(5)))


@pytest.mark.parametrize(
    "text",
    [
        line("BOOKMARK", model(5)),
        line("ERROR", {"code": 410}),
        line("ADDED", {}),
        b"<html>",
        b'{"type":"ADDED","obj',
    ],
)
def test_an_invalid_line_is_not_an_own_write(cache: WatchCache, text: bytes) -> None:
    assert not is_own_write(cache, MODELS, text)
