"""Copies a Model's object from elsewhere in the store, instead of downloading it again."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from roadstead.api.model import Model, StoreLocation
from roadstead.errors import LedgerError, StoreError
from roadstead.ledger.known_objects import KnownObject
from roadstead.store.store_client import StoredObject

logger = logging.getLogger(__name__)

Known = Callable[[Model, StoreLocation], Awaitable[list[KnownObject]]]
"""The objects in the ledger that may be the Model's; raises LedgerError."""


class CopyingStore(Protocol):
    """The methods of the store client that this module uses."""

    async def stat(self, location: StoreLocation) -> StoredObject | None:
        """The object, or None."""

    async def copy(self, source: StoreLocation, target: StoreLocation) -> None:
        """Copy the object at `source` to `target`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeptObjects:
    """Finds the object of an earlier Model with the ledger, and copies it to the target.

    The copy is not trusted: the transfer that follows reads and verifies it, and downloads the
    model from its source if the content differs.
    """

    store: CopyingStore
    known: Known

    async def ensure(self, model: Model, target: StoreLocation) -> bool:
        """Copy an object if there is one; returns whether it did. Errors are only logged."""
        if model.upload is not None:
            return False
        try:
            return await self._copy(model, target)
        except (LedgerError, StoreError) as error:
            logger.info("skipped the search for objects of earlier Models: %s", error)
            return False

    async def _copy(self, model: Model, target: StoreLocation) -> bool:
        candidates = await self.known(model, target)
        if not candidates or await self.store.stat(target) is not None:
            return False
        for each in candidates:
            found = await self.store.stat(each.location)
            if found is not None and found.size == each.size and each.location != target:
                logger.info("copying the object at %s in the store", each.location)
                await self.store.copy(each.location, target)
                return True
        return False
