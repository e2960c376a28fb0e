"""Creates and rotates certificates, receipt keys and path secrets, in every replica."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from roadstead.clocks import Clock
from roadstead.errors import InvalidKey, KubeConflict, KubeError
from roadstead.kube.kube_client import KubeClient
from roadstead.settings import EnvReader
from roadstead_webhooks import webhook_metrics
from roadstead_webhooks.admission.exposure import Exposure
from roadstead_webhooks.certificates.configurations import ClientConfig, update_configurations
from roadstead_webhooks.certificates.folder import publish
from roadstead_webhooks.certificates.path_rotation import (
    PATH_SCHEDULE,
    PathSchedule,
    current_secret,
    prune,
)
from roadstead_webhooks.certificates.path_rotation import rotate as rotate_paths
from roadstead_webhooks.certificates.receipt_rotation import public_keys, rotate
from roadstead_webhooks.certificates.schedule import SCHEDULE, Schedule, Stored, apply_due
from roadstead_webhooks.certificates.secrets import SharedSecret, ensure_config_map

logger = logging.getLogger(__name__)

BUNDLE_CHECK_SECONDS: Final = 10.0
"""How often the configurations are checked, so that a changed bundle is repaired."""
FIRST_PAUSE: Final = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Places:
    """The names and folders of certificates, keys and secrets."""

    namespace: str
    tls_secret: str
    """Empty if the certificates are given; likewise `receipts_secret`."""
    tls_folder: Path
    configuration: str
    """The name of both webhook configurations."""
    names: tuple[str, ...]
    """The DNS names or addresses that the API server calls."""
    receipts_secret: str
    receipts_folder: Path
    receipt_keys: str
    """The ConfigMap of public keys."""
    paths_secret: str = ""
    """Empty if the webhooks' paths have no secret, or the secrets are given."""
    paths_folder: Path = Path()

    @classmethod
    def read(
        cls, env: EnvReader, *, namespace: str, tls: Path, receipts: Path, paths: Path
    ) -> Places:
        """Read the environment, for files in the folders `tls`, `receipts` and `paths`."""
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
    """Creates, rotates and repairs certificates, keys, path secrets and configurations."""

    def __init__(
        self,
        client: KubeClient,
        places: Places,
        *,
        clock: Clock,
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
        self._complete = True
        self._tls = SharedSecret(client, name=places.tls_secret, namespace=places.namespace)
        self._receipts = SharedSecret(
            client, name=places.receipts_secret, namespace=places.namespace
        )
        self._paths = SharedSecret(client, name=places.paths_secret, namespace=places.namespace)

    async def begin(self) -> None:
        """Wait until everything exists that the server needs to start."""
        while True:
            if await self._try_pass():
                return
            await asyncio.sleep(FIRST_PAUSE * (0.5 + random.random()))  # noqa: S311 - replicas apart

    async def run(self) -> None:
        """Repeat passes until cancelled."""
        while True:
            pause = self._pause if self._complete else min(self._pause, FIRST_PAUSE)
            await asyncio.sleep(pause * (0.75 + random.random() / 2))  # noqa: S311 - as above
            await self._try_pass()

    async def pass_once(self) -> None:
        """Do everything that is due. Raises KubeError, InvalidKey or OSError."""
        paths = await self._update_paths() if self._places.paths_secret else {}
        stored = await self._update_certificates() if self._places.tls_secret else None
        await self._update_configurations(paths, stored)
        if stored and publish(self._places.tls_folder, stored.served()):
            expiry = stored.serving.expires_at.isoformat()
            logger.info("the serving certificate is valid until %s", expiry)
        # Last, so that an invalid key does not prevent updates of the configurations.
        if self._places.receipts_secret:
            await self._update_receipts()

    async def _try_pass(self) -> bool:
        try:
            await self.pass_once()
        except KubeConflict as error:
            logger.info("retrying soon: %s", error)
            return False
        except (KubeError, InvalidKey, OSError) as error:
            logger.warning("certificates and keys could not be updated: %s", error)
            return False
        return True

    async def _update_receipts(self) -> None:
        """Publish each key to the operator before a webhook can sign with it."""
        files = await self._receipts.ensure(lambda files: rotate(files, self._clock()))
        places = self._places
        await ensure_config_map(
            self._client, places.receipt_keys, places.namespace, public_keys(files)
        )
        if publish(places.receipts_folder, files):
            logger.info("%d receipt keys in use", len(files))

    async def _update_paths(self) -> dict[str, bytes]:
        """Accept each path secret before the API server uses it."""
        exposed = self._exposure.last
        files = await self._paths.ensure(
            lambda files: rotate_paths(
                files, self._clock(), exposed=exposed, schedule=self._path_schedule
            )
        )
        if publish(self._places.paths_folder, files):
            logger.info("accepting requests at %d secret paths", len(files))
        return files

    async def _update_certificates(self) -> Stored:
        stored = Stored.parse(await self._tls.ensure(self._renew))
        expires_at = stored.authority.expires_at.timestamp()
        webhook_metrics.CERTIFICATE_EXPIRY.labels("authority").set(expires_at)
        return stored

    async def _update_configurations(
        self, paths: Mapping[str, bytes], stored: Stored | None
    ) -> None:
        """Update the configurations before a certificate of a new authority is served.

        Old path secrets are removed once the API server has had the current one for a pass.
        """
        if not (paths or stored):
            return
        wanted = ClientConfig(
            bundle=stored.bundle if stored else b"",
            secret=current_secret(paths, self._clock()) if paths else "",
        )
        outcome = await update_configurations(self._client, self._places.configuration, wanted)
        self._complete = outcome.complete
        if paths and not outcome.changed:
            await self._paths.ensure(
                lambda files: prune(files, self._clock(), schedule=self._path_schedule)
            )

    def _renew(self, data: Mapping[str, bytes]) -> Mapping[str, bytes]:
        stored = Stored.find(data)
        after = apply_due(stored, self._places.names, self._clock(), self._schedule)
        return data if after is stored else after.data()
