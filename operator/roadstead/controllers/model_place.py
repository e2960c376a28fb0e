"""Whose a place in the store is, where several Models ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roadstead.api.location import StoreLocation
from roadstead.api.model import Model

Brings = Callable[[Model], bool]
"""Whether a transfer of the Model is under way."""


def owner(models: Iterable[Model], target: StoreLocation, *, brings: Brings) -> Model:
    """The one that `target` belongs to: who has an object there, then who brings one, then age.

    `models` are all that name `target`, at least one. Age alone is not enough: creation times have
    whole seconds, and an older Model may be changed to name a place that is in use.
    """
    return min(models, key=lambda model: _rank(model, target, brings=brings))


def _rank(model: Model, target: StoreLocation, *, brings: Brings) -> tuple[bool, bool, str, str]:
    upload = model.upload
    under_way = brings(model) or (upload is not None and upload.key == target.path)
    return model.stored_at != target, not under_way, model.meta.created, model.meta.uid
