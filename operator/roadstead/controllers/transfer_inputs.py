"""What a transfer's Job is given: a Secret, since a presigned URL may stand in it."""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
from typing import Protocol

from roadstead.api.raw import Raw, section
from roadstead.controllers.transfer_runner import TransferAttempt
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
    """The part of the API client that Secrets need."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create; KubeConflict if it is there."""

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Merge patch."""


class JobInputs:
    """The Secrets of Jobs, each of its Job's name."""

    def __init__(self, client: JobSecretClient) -> None:
        self._client = client

    async def give(self, job: Raw, attempt: TransferAttempt) -> bool:
        """Whether the Job has its Secret: one that is there may know of an upload, and stays.

        Not yet, where an earlier Job of that name was deleted and its Secret has yet to go.
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
        """Tell the Job's next pod which upload to go on with; whether that worked."""
        meta = section(job, "metadata")
        body = {"stringData": {KEY: _text(dataclasses.replace(attempt.job, resume=resume))}}
        try:
            await self._client.patch(SECRETS, meta["name"], body, namespace=meta["namespace"])
        except (KubeNotFound, KubeUnavailable) as error:
            logger.warning("the upload could not be told to the Job's next pod: %s", error)
            return False
        return True

    async def attempt(self, job: Raw) -> TransferAttempt | None:
        """What an earlier operator began; None where it did not come to hand over the job."""
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
