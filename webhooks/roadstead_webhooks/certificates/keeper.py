"""Keeps certificates and receipt keys in order, beside the server, in every replica alike."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from roadstead.errors import InvalidKey, KubeConflict, KubeError
from roadstead.settings import EnvReader
from roadstead_webhooks import metrics
from roadstead_webhooks.certificates.bundles import bring_bundle
from roadstead_webhooks.certificates.folder import publish
from roadstead_webhooks.certificates.receipt_rotation import published, rotated
from roadstead_webhooks.certificates.schedule import SCHEDULE, Schedule, Stored, step
from roadstead_webhooks.certificates.secrets import SecretClient, SharedSecret, bring_config_map

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 10.0
"""How soon a bundle that somebody changed is put right."""
FIRST_PAUSE: Final = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Places:
    """Where everything is kept."""

    namespace: str
    tls_secret: str
    """Empty where there is nothing to look after; so with `receipts_secret`."""
    tls_folder: Path
    configuration: str
    """The name of both webhook configurations."""
    names: tuple[str, ...]
    """What the API server calls us by: DNS names or addresses."""
    receipts_secret: str
    receipts_folder: Path
    receipt_keys: str
    """The ConfigMap of public keys."""

    @classmethod
    def read(cls, env: EnvReader, *, namespace: str, tls: Path, receipts: Path) -> Places:
        """From the environment, for files in the folders `tls` and `receipts`."""
        names = env.items("ROADSTEAD_TLS_NAMES") or (f"roadstead-webhooks.{namespace}.svc",)
        return cls(
            namespace=namespace,
            tls_secret=env.text("ROADSTEAD_TLS_SECRET", ""),
            tls_folder=tls,
            configuration=env.text("ROADSTEAD_WEBHOOK_CONFIGURATION", "roadstead"),
            names=names,
            receipts_secret=env.text("ROADSTEAD_RECEIPTS_SECRET", ""),
            receipts_folder=receipts,
            receipt_keys=env.text("ROADSTEAD_RECEIPT_KEYS", "roadstead-receipt-keys"),
        )


class Keeper:
    """Does what is due, and repairs what was changed."""

    def __init__(
        self,
        client: SecretClient,
        places: Places,
        *,
        clock: Callable[[], datetime.datetime],
        schedule: Schedule = SCHEDULE,
        pause: float = LOOK_SECONDS,
    ) -> None:
        self._client = client
        self._places = places
        self._clock = clock
        self._schedule = schedule
        self._pause = pause
        self._asked = True
        self._tls = SharedSecret(client, name=places.tls_secret, namespace=places.namespace)
        self._receipts = SharedSecret(
            client, name=places.receipts_secret, namespace=places.namespace
        )

    async def begin(self) -> None:
        """Wait until there is all that the server needs to start."""
        while True:
            if await self._passed():
                return
            await asyncio.sleep(FIRST_PAUSE * (0.5 + random.random()))  # noqa: S311 - replicas apart

    async def run(self) -> None:
        """Look after it until cancelled."""
        while True:
            pause = self._pause if self._asked else min(self._pause, FIRST_PAUSE)
            await asyncio.sleep(pause * (0.75 + random.random() / 2))  # noqa: S311 - as above
            await self._passed()

    async def pass_once(self) -> None:
        """Do all that is due; raises KubeError, InvalidKey or OSError."""
        if self._places.receipts_secret:
            await self._keep_receipts()
        if self._places.tls_secret:
            await self._keep_certificates()

    async def _passed(self) -> bool:
        try:
            await self.pass_once()
        except KubeConflict as error:
            logger.info("tried again soon: %s", error)
            return False
        except (KubeError, InvalidKey, OSError) as error:
            logger.warning("certificates and keys stay as they are: %s", error)
            return False
        return True

    async def _keep_receipts(self) -> None:
        """A key is known to the operator before any webhook could sign with it."""
        files = await self._receipts.bring(lambda held: rotated(held, self._clock()))
        places = self._places
        await bring_config_map(
            self._client, places.receipt_keys, places.namespace, published(files)
        )
        if publish(places.receipts_folder, files):
            logger.info("there are %d keys for receipts", len(files))

    async def _keep_certificates(self) -> None:
        """The bundle goes first: the API server must know whom a certificate is of before it is
        served.
        """
        data = await self._tls.bring(self._renewed)
        stored = Stored.parse(data)
        assert stored is not None  # noqa: S101 - _renewed has made it
        ends_at = stored.authority.ends_at.timestamp()
        metrics.CERTIFICATE_EXPIRY.labels("authority").set(ends_at)
        self._asked = await bring_bundle(self._client, self._places.configuration, stored.bundle)
        if publish(self._places.tls_folder, stored.served()):
            ends = stored.serving.ends_at.isoformat()
            logger.info("the serving certificate holds until %s", ends)

    def _renewed(self, data: Mapping[str, bytes]) -> Mapping[str, bytes]:
        stored = Stored.parse(data)
        after = step(stored, self._places.names, self._clock(), self._schedule)
        return data if after is stored else after.data()
