"""The name of a server's Model."""

from __future__ import annotations

from roadstead.api.modelserve import ModelServe
from roadstead.kube.watch_cache import WatchCache


def model_name(cache: WatchCache, serve: ModelServe) -> str:
    """The name of a server's Model, found by UUID if the spec has no name; "" if there is none."""
    if serve.model_name:
        return serve.model_name
    found = cache.model_by_uuid(serve.model_uuid)
    return found.meta.name if found else ""
