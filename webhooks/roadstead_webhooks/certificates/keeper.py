"""Keeps certificates, receipt keys and paths in order: beside the server, in every replica."""

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
from roadstead_webhooks import webhook_metrics
from roadstead_webhooks.admission.exposure import Exposure
from roadstead_webhooks.certificates.configurations import ClientConfig, keep_configurations
from roadstead_webhooks.certificates.folder import publish
from roadstead_webhooks.certificates.path_rotation import (
    PATH_SCHEDULE,
    PathSchedule,
    current,
    pruned,
)
from roadstead_webhooks.certificates.path_rotation import rotated as paths_rotated
from roadstead_webhooks.certificates.receipt_rotation import published, rotated
from roadstead_webhooks.certificates.schedule import SCHEDULE, Schedule, Stored, step
from roadstead_webhooks.certificates.secrets import SecretClient, SharedSecret, bring_config_map

logger = logging.getLogger(__name__)

BUNDLE_CHECK_SECONDS: Final = 10.0
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
    paths_secret: str = ""
    """Empty where the webhooks' paths have no secret, or one that is given."""
    paths_folder: Path = Path()

    @classmethod
    def read(
        cls, env: EnvReader, *, namespace: str, tls: Path, receipts: Path, paths: Path
    ) -> Places:
        """From the environment, for files in the folders `tls`, `receipts` and `paths`."""
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
            paths_secret=env.text("ROADSTEAD_REVIEW_PATHS_SECRET", ""),
            paths_folder=paths,
        )


class Keeper:
    """Does what is due, and repairs what was changed."""

    def __init__(
        self,
        client: SecretClient,
        places: Places,
        *,
        clock: Callable[[], datetime.datetime],
        exposure: Exposure | None = None,
        schedule: Schedule = SCHEDULE,
        path_schedule: PathSchedule = PATH_SCHEDULE,
        pause: float = BUNDLE_CHECK_SECONDS,
    ) -> None:
        self._path_schedule = path_schedule
        self._exposure = exposure or Exposure(clock)
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
        self._paths = SharedSecret(client, name=places.paths_secret, namespace=places.namespace)

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
        paths = await self._keep_paths() if self._places.paths_secret else {}
        stored = await self._keep_certificates() if self._places.tls_secret else None
        await self._keep_configurations(paths, stored)
        if stored and publish(self._places.tls_folder, stored.served()):
            ends = stored.serving.ends_at.isoformat()
            logger.info("the serving certificate holds until %s", ends)
        # Last: a key that can't be read must not keep the API server from its way here.
        if self._places.receipts_secret:
            await self._keep_receipts()

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
        files = await self._receipts.ensure(lambda held: rotated(held, self._clock()))
        places = self._places
        await bring_config_map(
            self._client, places.receipt_keys, places.namespace, published(files)
        )
        if publish(places.receipts_folder, files):
            logger.info("there are %d keys for receipts", len(files))

    async def _keep_paths(self) -> dict[str, bytes]:
        """Secrets are known here before the API server is told to use them."""
        exposed = self._exposure.last
        files = await self._paths.ensure(
            lambda held: paths_rotated(
                held, self._clock(), exposed=exposed, schedule=self._path_schedule
            )
        )
        if publish(self._places.paths_folder, files):
            logger.info("requests are taken at %d secret paths", len(files))
        return files

    async def _keep_certificates(self) -> Stored:
        data = await self._tls.ensure(self._renewed)
        stored = Stored.parse(data)
        assert stored is not None  # noqa: S101 - _renewed has made it
        ends_at = stored.authority.ends_at.timestamp()
        webhook_metrics.CERTIFICATE_EXPIRY.labels("authority").set(ends_at)
        return stored

    async def _keep_configurations(self, paths: Mapping[str, bytes], stored: Stored | None) -> None:
        """The API server must know whom a certificate is of before it is served.

        Old secrets go once it has had the current one since the pass before.
        """
        if not (paths or stored):
            return
        wanted = ClientConfig(
            bundle=stored.bundle if stored else b"",
            secret=current(paths, self._clock()) if paths else "",
        )
        outcome = await keep_configurations(self._client, self._places.configuration, wanted)
        self._asked = outcome.complete
        if paths and not outcome.changed:
            await self._paths.ensure(
                lambda held: pruned(held, self._clock(), schedule=self._path_schedule)
            )

    def _renewed(self, data: Mapping[str, bytes]) -> Mapping[str, bytes]:
        stored = Stored.parse(data)
        after = step(stored, self._places.names, self._clock(), self._schedule)
        return data if after is stored else after.data()
