"""Which Model a server is of, by name, for those who tell of it."""

from __future__ import annotations

from roadstead.api.modelserve import ModelServe
from roadstead.kube.resources import MODELS
from roadstead.kube.watch_cache import WatchCache


def model_name(cache: WatchCache, serve: ModelServe) -> str:
    """The name of its Model, where it gives a UUID alone, too; empty where no Model has that."""
    if serve.model_name:
        return serve.model_name
    place = cache.name_of(serve.model_uuid)
    return place[1] if place and cache.get(MODELS, place[1]) else ""
