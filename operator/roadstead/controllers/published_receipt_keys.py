"""The public keys that receipts are verified with, as the webhooks publish them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from roadstead.api.raw import section
from roadstead.errors import InvalidKey, KubeError
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import CONFIGMAPS, Resource
from roadstead.tokens.receipt_keys import public_keys
from roadstead.tokens.receipts import ReceiptVerifier

logger = logging.getLogger(__name__)

OLD_SECONDS: Final = 60.0
"""After which the keys are read again: so long does a retired key still count."""
PATIENCE_SECONDS: Final = 2.0
"""Between two reads for keys that are not known, however many receipts ask for one."""


class ObjectReader(Protocol):
    """The part of the API client that reads one object."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""


class ReceiptKeys:
    """Reads one ConfigMap, by name: the operator may read no other.

    What was read last is used on while it can't be read. A key is published before it signs, so
    a receipt's key is unknown only if the ConfigMap was read long ago; then it is read again.
    `read` is called with what was read, before anybody gets it.
    """

    def __init__(
        self,
        client: ObjectReader,
        *,
        namespace: str,
        name: str,
        clock: Callable[[], float],
        read: Callable[[ReceiptVerifier], None],
    ) -> None:
        self._client = client
        self._place = name, namespace
        self._clock = clock
        self._read_keys = read
        self._verifier: ReceiptVerifier | None = None
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def verifier(self, *, anew: bool = False) -> ReceiptVerifier | None:
        """By the keys as read within the last minute; None if they were never there.

        `anew` is for a key that is not among them.
        """
        async with self._reading:
            age = self._clock() - self._read_at
            hasty = anew or self._verifier is None
            if age >= (PATIENCE_SECONDS if hasty else OLD_SECONDS):
                await self._read()
                self._read_at = self._clock()
            return self._verifier

    async def _read(self) -> None:
        try:
            found = await self._client.get(CONFIGMAPS, *self._place)
            self._verifier = ReceiptVerifier(public_keys(section(found, "data")))
        except (KubeError, InvalidKey) as error:
            logger.warning("the keys of receipts could not be read: %s", error)
        else:
            self._read_keys(self._verifier)
