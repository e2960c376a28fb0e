"""Letting a Model go: the one kind with a finalizer, since its object is outside Kubernetes."""

from __future__ import annotations

import dataclasses
import logging
from typing import Final, Protocol

from roadstead.api.location import StoreLocation
from roadstead.api.model import Model
from roadstead.api.raw import section
from roadstead.errors import StoreError
from roadstead.transfer.placement import leftovers

logger = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 120.0
"""How long a deletion waits for the store to forget an unfinished upload."""


class RemovalStore(Protocol):
    """What is asked of the store when a Model goes."""

    async def remove(self, location: StoreLocation, etag: str | None = None) -> bool:
        """Remove the object, with `etag` only if it is that one."""

    async def abort_upload(self, location: StoreLocation, upload_id: str) -> None:
        """Abort a multipart upload; one that is gone already is fine."""

    async def abort_unfinished(self, location: StoreLocation) -> None:
        """Abort all multipart uploads of exactly this key that the store knows of."""


async def clear_store(
    store: RemovalStore, model: Model, target: StoreLocation, *, deleting_for: float, shared: bool
) -> None:
    """Do in the store what the Model's deletion asks for.

    An unfinished upload is aborted, and what a transfer that was killed left beside the target is
    removed; if the store can't be reached for two minutes both are left to it, so that a store
    that is gone holds up nobody. The object is removed with
    `deletionPolicy: Delete` only, if it is the one that was verified and no other Model has it;
    there a StoreError goes on being raised: whoever wants the Model gone all the same changes the
    policy to Retain.
    """
    if model.upload is not None or _was_brought(model):
        try:
            await _drop_transfer(store, model, target, shared=shared)
        except StoreError as error:
            if deleting_for < PATIENCE_SECONDS:
                raise
            logger.warning("what its transfer left in the store stays there: %s", error)
    if model.deletion_policy != "Delete" or model.stored_at is None or shared:
        return
    try:
        await store.remove(model.stored_at, model.status.get("etag"))
    except StoreError as error:
        hint = "; set spec.deletionPolicy to Retain to let the Model go without it"
        raise StoreError(error.reason, f"{error}{hint}", retry=error.retry) from error


def _was_brought(model: Model) -> bool:
    """Whether a transfer was begun that did not come to its end."""
    return not model.digest and bool(section(model.status, "transfer"))


async def _drop_transfer(
    store: RemovalStore, model: Model, target: StoreLocation, *, shared: bool
) -> None:
    """Remove what a transfer that did not come to its end has in the store.

    An upload may be there that the status does not tell of: begun just before a kill.
    """
    key = target.path
    if model.upload is not None:
        key = model.upload.key or key
        await store.abort_upload(dataclasses.replace(target, path=key), model.upload.upload_id)
    places = leftovers(target, model.meta.uid, key)
    for where in places if shared else (target, *places):
        await store.abort_unfinished(where)
    for where in places:
        await store.remove(where)
