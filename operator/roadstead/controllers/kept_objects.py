"""Bringing a Model's object from elsewhere in the store, instead of from its source again."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from roadstead.api.location import StoreLocation
from roadstead.api.model import Model
from roadstead.errors import LedgerError, StoreError
from roadstead.ledger.known_objects import KnownObject
from roadstead.store.store_client import StoredObject

logger = logging.getLogger(__name__)

Known = Callable[[Model, StoreLocation], Awaitable[list[KnownObject]]]
"""What the ledger knows that may be the Model; LedgerError where it can't be asked."""


class CopyingStore(Protocol):
    """The part of the store that is asked here."""

    async def stat(self, location: StoreLocation) -> StoredObject | None:
        """The object, None without one."""

    async def copy(self, source: StoreLocation, target: StoreLocation) -> None:
        """Put a copy of `source` at `target`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeptObjects:
    """Looks in ledger and store for what an earlier Model left, and copies it into place.

    The copy is no promise: the transfer that follows reads and verifies what it finds at the
    place, and brings the model from its source where it is not the very one.
    """

    store: CopyingStore
    known: Known

    async def ensure(self, model: Model, target: StoreLocation) -> bool:
        """Whether a copy was made; never raises, as the source is there still."""
        if model.upload is not None:
            return False
        try:
            return await self._bring(model, target)
        except (LedgerError, StoreError) as error:
            logger.info("what earlier Models left is not looked for: %s", error)
            return False

    async def _bring(self, model: Model, target: StoreLocation) -> bool:
        candidates = await self.known(model, target)
        if not candidates or await self.store.stat(target) is not None:
            return False
        for each in candidates:
            found = await self.store.stat(each.location)
            if found is not None and found.size == each.size and each.location != target:
                logger.info("the store has it at %s already", each.location)
                await self.store.copy(each.location, target)
                return True
        return False
