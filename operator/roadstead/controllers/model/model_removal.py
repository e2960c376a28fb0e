"""Cleans up the store when a Model is deleted: the one kind with a finalizer."""

from __future__ import annotations

import dataclasses
import logging
from typing import Final

from roadstead.api.model import Model, StoreLocation
from roadstead.api.raw import section
from roadstead.errors import StoreError
from roadstead.store.store_client import MinioStore
from roadstead.transfer.placement import leftovers

logger = logging.getLogger(__name__)

UPLOAD_ABORT_SECONDS: Final = 120.0
"""How long a deletion retries to abort an unfinished upload."""


async def clear_store(
    store: MinioStore, model: Model, target: StoreLocation, *, deleting_for: float, shared: bool
) -> None:
    """Clean up the store as the Model's deletion policy requires.

    Unfinished uploads are aborted and temporary objects of a killed transfer are deleted. If the
    store is unavailable for two minutes, they are left to its own sweep, so that the deletion does
    not wait forever. The object is deleted only with `deletionPolicy: Delete`, if it is the
    verified one and no other Model uses it. Raises StoreError; to delete the Model without its
    object, a user changes the policy to Retain.
    """
    if model.upload is not None or _has_unfinished_transfer(model):
        try:
            await _drop_transfer(store, model, target, shared=shared)
        except StoreError as error:
            if deleting_for < UPLOAD_ABORT_SECONDS:
                raise
            logger.warning("unfinished uploads of the Model stay in the store: %s", error)
    if model.deletion_policy != "Delete" or model.stored_at is None or shared:
        return
    try:
        await store.remove(model.stored_at, model.status.get("etag"))
    except StoreError as error:
        hint = "; set spec.deletionPolicy to Retain to delete the Model without its object"
        raise StoreError(error.reason, f"{error}{hint}", retry=error.retry) from error


def _has_unfinished_transfer(model: Model) -> bool:
    """Whether a transfer started and did not complete."""
    return not model.digest and bool(section(model.status, "transfer"))


async def _drop_transfer(
    store: MinioStore, model: Model, target: StoreLocation, *, shared: bool
) -> None:
    """Delete the uploads and temporary objects of a transfer that did not complete.

    The status lacks an upload that was created just before the transfer was killed.
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
