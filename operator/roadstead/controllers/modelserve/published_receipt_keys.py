"""The public keys that verify receipts, as the webhooks publish them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from roadstead.api.raw import section
from roadstead.clocks import Stopwatch
from roadstead.controllers.object_access import ObjectReader
from roadstead.errors import InvalidKey, KubeError
from roadstead.kube.resources import CONFIGMAPS
from roadstead.tokens.receipt_keys import public_keys
from roadstead.tokens.receipts import ReceiptVerifier

logger = logging.getLogger(__name__)

KEYS_MAX_AGE_SECONDS: Final = 60.0
"""The age after which the keys are read again; a retired key counts for as long."""
KEYS_RETRY_SECONDS: Final = 2.0
"""The least interval between two reads for unknown keys."""


class ReceiptKeys:
    """Reads one ConfigMap by name: the operator may read no other.

    The last keys are used while the ConfigMap can't be read. A key is published before it is used,
    so an unknown key means that the ConfigMap is read again. `on_read` is called with the keys
    before `verifier` returns them.
    """

    def __init__(
        self,
        client: ObjectReader,
        *,
        namespace: str,
        name: str,
        clock: Stopwatch,
        on_read: Callable[[ReceiptVerifier], None],
    ) -> None:
        self._client = client
        self._place = name, namespace
        self._clock = clock
        self._on_read = on_read
        self._verifier: ReceiptVerifier | None = None
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def verifier(self, *, refresh: bool = False) -> ReceiptVerifier | None:
        """A verifier with keys that are at most a minute old; None if none were ever read.

        `refresh` reads them again, for an unknown key.
        """
        async with self._reading:
            age = self._clock() - self._read_at
            retry = refresh or self._verifier is None
            if age >= (KEYS_RETRY_SECONDS if retry else KEYS_MAX_AGE_SECONDS):
                await self._read()
                self._read_at = self._clock()
            return self._verifier

    async def _read(self) -> None:
        try:
            found = await self._client.get(CONFIGMAPS, *self._place)
            self._verifier = ReceiptVerifier(public_keys(section(found, "data")))
        except (KubeError, InvalidKey) as error:
            logger.warning("cannot read the receipt keys: %s", error)
        else:
            self._on_read(self._verifier)
