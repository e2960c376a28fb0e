"""Filters events of the operator's own writes, whose responses already contained the object."""

from __future__ import annotations

import json

from roadstead.kube.resources import Resource
from roadstead.kube.watch_cache import WatchCache


def is_own_write(cache: WatchCache, resource: Resource, line: bytes) -> bool:
    """Whether the cache already has the object of a watch event.

    False for a deletion, which only the watch reports.
    """
    try:
        event = json.loads(line)
        return event["type"] in ("ADDED", "MODIFIED") and cache.knows(resource, event["object"])
    except (ValueError, KeyError):
        return False  # kopf reports what is wrong with it.
