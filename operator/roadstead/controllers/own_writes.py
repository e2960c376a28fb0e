"""Events of the operator's own writes, whose responses already contained the object."""

from __future__ import annotations

import json

from roadstead.kube.resources import Resource
from roadstead.kube.watch_cache import WatchCache


def is_own_write(cache: WatchCache, resource: Resource, line: bytes) -> bool:
    """Whether a line of a watch tells what the cache knows; no one has to be told of it.

    A deletion is never one: only the watch tells of it.
    """
    try:
        event = json.loads(line)
        return event["type"] in ("ADDED", "MODIFIED") and cache.knows(resource, event["object"])
    except (ValueError, KeyError):
        return False  # Whoever is told says what is wrong with it.
