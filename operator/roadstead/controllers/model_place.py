"""Which Model owns a location in the store if several Models name it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roadstead.api.location import StoreLocation
from roadstead.api.model import Model

InTransfer = Callable[[Model], bool]
"""Whether a transfer of the Model runs."""


def owner(models: Iterable[Model], target: StoreLocation, *, in_transfer: InTransfer) -> Model:
    """The owner of `target`: the Model with an object there, then with a transfer, then the oldest.

    `models` are all Models that name `target`, at least one. Age alone is not enough: creation
    times have whole seconds, and an older Model may be changed to a location that is in use.
    """
    return min(models, key=lambda model: _rank(model, target, in_transfer=in_transfer))


def _rank(
    model: Model, target: StoreLocation, *, in_transfer: InTransfer
) -> tuple[bool, bool, str, str]:
    upload = model.upload
    transferring = in_transfer(model) or (upload is not None and upload.key == target.path)
    return model.stored_at != target, not transferring, model.meta.created, model.meta.uid
