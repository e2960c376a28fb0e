"""Transfers as Kubernetes Jobs, which outlive the operator that created them.

A Job is named after its Model, so that there is only one for all leaders: a new leader follows the
existing Job. The Job and its Secret have all that is needed for that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from roadstead.api.raw import Raw, section
from roadstead.controllers.transfers.transfer_following import PACE, Following, Pace
from roadstead.controllers.transfers.transfer_inputs import JobInputs, JobSecretClient
from roadstead.controllers.transfers.transfer_logs import LogClient, PodLog
from roadstead.controllers.transfers.transfer_pods import (
    in_namespace,
    is_deleting,
    is_finished,
    outcome_of,
)
from roadstead.controllers.transfers.transfer_runner import EventHandler, Outcome, TransferAttempt
from roadstead.errors import KubeConflict, KubeNotFound, KubeRejected, KubeUnavailable
from roadstead.kube.kube_client import Object, Page
from roadstead.kube.resources import JOBS, PODS, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.manifests.names import LABEL_MODEL_UUID
from roadstead.manifests.transfer_job import TransferPlace, job_name, transfer_job
from roadstead.transfer.messages import Failed


class JobClient(JobSecretClient, LogClient, Protocol):
    """The methods of the API client that Jobs need."""

    def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """Every object of a kind."""

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        foreground: bool = False,
    ) -> None:
        """Delete an object; a missing one is not an error."""


class JobRunner:
    """Runs each transfer as a Job in `namespace`, created from the chart's `template`."""

    def __init__(
        self,
        client: JobClient,
        cache: WatchCache,
        template: Raw,
        *,
        namespace: str,
        pace: Pace = PACE,
    ) -> None:
        self._client = client
        self._cache = cache
        self._template = template
        self._namespace = namespace
        self._pace = pace
        self._inputs = JobInputs(client)
        self._found: dict[str, Object] = {}
        """Jobs of earlier operators by their Model's UID, each until it is followed."""

    async def run(self, attempt: TransferAttempt, on_event: EventHandler) -> Outcome:
        """Create or find the Job and follow it to its outcome; if cancelled, the Job still runs."""
        try:
            job = self._found.pop(attempt.uid, None) or await self._ensure_job(attempt)
            return await self._follow(attempt, job, on_event)
        except KubeRejected as error:
            message = f"the API server refuses the transfer's Job: {error}"
            return Failed(reason="TransferJobRefused", message=message)

    async def find_running(self) -> Sequence[TransferAttempt]:
        """The attempts of existing Jobs; Jobs without a Secret or a Model are deleted."""
        pages = self._client.list(JOBS, selector=LABEL_MODEL_UUID, namespace=self._namespace)
        jobs = [raw async for page in pages for raw in page.items if not is_deleting(raw)]
        attempts = []
        for raw in jobs:
            uid = section(raw, "metadata", "labels")[LABEL_MODEL_UUID]
            attempt = await self._inputs.read_attempt(raw) if self._cache.name_of(uid) else None
            if attempt is not None:
                self._found[uid] = raw
                attempts.append(attempt)
            else:
                await self.clear(uid)
        return attempts

    async def clear(self, uid: str) -> bool:
        """Delete the Job with its pods; True once they are gone."""
        try:
            found = await self._client.get(JOBS, job_name(uid), self._namespace)
        except KubeNotFound:
            return True
        if not is_deleting(found):
            meta = found["metadata"]
            with contextlib.suppress(KubeConflict):
                await self._client.delete(
                    JOBS, meta["name"], namespace=self._namespace, uid=meta["uid"], foreground=True
                )
        return False

    async def _ensure_job(self, attempt: TransferAttempt) -> Object:
        """A running Job with its Secret; a finished one of an earlier attempt is deleted first."""
        place = TransferPlace(
            model_name=attempt.job.model_name, model_uid=attempt.uid, namespace=self._namespace
        )
        body = transfer_job(self._template, place, inputs=attempt.inputs, attempt=attempt.number)
        while True:
            with contextlib.suppress(KubeNotFound, KubeUnavailable):
                job = await self._create_or_get(body)
                if is_deleting(job) or self._has_outcome(job):
                    await self.clear(attempt.uid)
                elif await self._inputs.ensure(job, attempt):
                    return job
            await asyncio.sleep(self._pace.pods)

    async def _create_or_get(self, body: Raw) -> Object:
        try:
            return await self._client.create(JOBS, body)
        except KubeConflict:
            return await self._client.get(JOBS, body["metadata"]["name"], self._namespace)

    def _has_outcome(self, job: Raw) -> bool:
        """Whether the Job is one of an earlier attempt that has its outcome."""
        return is_finished(job) or outcome_of(self._pods(job)) is not None

    async def _follow(
        self, attempt: TransferAttempt, job: Object, on_event: EventHandler
    ) -> Outcome:
        following = Following(
            pods=lambda: self._pods(job),
            state=lambda: self._state(job),
            remember=lambda upload: self._inputs.remember(job, attempt, upload),
            known=attempt.job.resume,
            name=f"{self._namespace}/{job['metadata']['name']}",
            on_event=on_event,
            pace=self._pace,
        )
        async with PodLog(self._client, self._namespace, on_event) as log:
            while True:
                outcome = await following.poll(log)
                if outcome is not None:
                    return outcome
                await asyncio.sleep(self._pace.pods)

    def _pods(self, job: Raw) -> list[Raw]:
        pods = self._cache.indexed(PODS, section(job, "metadata")["uid"])
        return in_namespace(pods, self._namespace)

    async def _state(self, job: Raw) -> Raw | None:
        """The current Job; None if it was deleted, {} while the API server is unavailable."""
        meta = section(job, "metadata")
        try:
            found = await self._client.get(JOBS, meta["name"], self._namespace)
        except KubeNotFound:
            return None
        except KubeUnavailable:
            return {}
        return found if found["metadata"]["uid"] == meta["uid"] else None
