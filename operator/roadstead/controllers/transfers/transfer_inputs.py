"""The input of a transfer's Job: a Secret, since it may contain a presigned URL."""

from __future__ import annotations

import base64
import json
import logging
from typing import Protocol

import msgspec

from roadstead.api.raw import Raw, section
from roadstead.controllers.transfers.transfer_runner import TransferAttempt
from roadstead.errors import InvalidMessage, KubeConflict, KubeNotFound, KubeUnavailable
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import SECRETS, Resource
from roadstead.manifests.transfer_job import (
    ANNOTATION_ATTEMPT,
    ANNOTATION_INPUTS,
    KEY,
    transfer_secret,
)
from roadstead.transfer.messages import Resume, TransferJob

logger = logging.getLogger(__name__)


class JobSecretClient(Protocol):
    """The methods of the API client that this module uses."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; raises KubeNotFound if it does not exist."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create an object; raises KubeConflict if it exists."""

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Apply a merge patch."""


class JobInputs:
    """The Secrets of Jobs; each has the name of its Job."""

    def __init__(self, client: JobSecretClient) -> None:
        self._client = client

    async def ensure(self, job: Raw, attempt: TransferAttempt) -> bool:
        """Create the Job's Secret unless it exists: an existing one may have an upload.

        False while a Secret of an earlier Job of that name still exists.
        """
        body = transfer_secret(job, _text(attempt.job))
        try:
            await self._client.create(SECRETS, body)
        except KubeConflict:
            meta = section(job, "metadata")
            found = await self._client.get(SECRETS, meta["name"], meta["namespace"])
            return _is_of(found, job)
        return True

    async def remember(self, job: Raw, attempt: TransferAttempt, resume: Resume) -> bool:
        """Store the upload that the Job's next pod resumes; returns whether that succeeded."""
        meta = section(job, "metadata")
        body = {"stringData": {KEY: _text(msgspec.structs.replace(attempt.job, resume=resume))}}
        try:
            await self._client.patch(SECRETS, meta["name"], body, namespace=meta["namespace"])
        except (KubeNotFound, KubeUnavailable) as error:
            logger.warning("cannot store the upload for the Job's next pod: %s", error)
            return False
        return True

    async def read_attempt(self, job: Raw) -> TransferAttempt | None:
        """The attempt of an earlier operator; None if it had not created the Job's Secret."""
        meta = section(job, "metadata")
        annotations = section(meta, "annotations")
        try:
            secret = await self._client.get(SECRETS, meta["name"], meta["namespace"])
            if not _is_of(secret, job):
                return None
            return TransferAttempt(
                job=TransferJob.parse(base64.b64decode(section(secret, "data")[KEY])),
                inputs=annotations[ANNOTATION_INPUTS],
                number=int(annotations[ANNOTATION_ATTEMPT]),
            )
        except (KubeNotFound, KeyError, ValueError, InvalidMessage):
            return None


def _text(job: TransferJob) -> str:
    return json.dumps(job.to_json())


def _is_of(secret: Raw, job: Raw) -> bool:
    owners = section(secret, "metadata").get("ownerReferences") or ()
    return section(job, "metadata")["uid"] in [owner["uid"] for owner in owners]
