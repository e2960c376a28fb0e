"""Jobs of transfers with a failing API server, or with Jobs of earlier operators."""

import asyncio
import base64
import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from roadstead.api.model import StoreLocation
from roadstead.api.raw import Raw
from roadstead.controllers.transfers.running_transfers import State, Transfers
from roadstead.controllers.transfers.transfer_following import Pace
from roadstead.controllers.transfers.transfer_jobs import JobRunner
from roadstead.controllers.transfers.transfer_pods import pods_of
from roadstead.controllers.transfers.transfer_runner import Outcome, TransferAttempt
from roadstead.errors import KubeRejected, KubeUnavailable
from roadstead.kube.kube_client import Object, Page
from roadstead.kube.resources import JOBS, MODELS, PODS, SECRETS, Resource
from roadstead.kube.watch_cache import WatchCache
from roadstead.transfer.messages import Failed, StoredInput, TransferJob, event_line
from tests.support.waiting import assert_eventually
from tests.unit.controllers.test_transfer_logs import FAILED
from tests.unit.controllers.test_transfer_pods import ended
from tests.unit.kube.memory_api import MemoryApi
from tests.unit.manifests.test_transfer_job import TEMPLATE

UID, JOB = "model-uid", "transfer-model-uid"
AWAY = KubeUnavailable("away")


class JobApi(MemoryApi):
    """An API server with a fast garbage collector and pods without logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[tuple[str, str]] = set()
        """Verbs and kinds whose next write has a lost answer."""

    def created_kinds(self) -> list[str]:
        """The kinds of all create requests, in order."""
        return [kind for verb, kind, _ in self.writes if verb == "create"]

    async def create(self, resource: Resource, body: Raw) -> Object:
        given = dict(copy.deepcopy(body))
        for key, text in given.pop("stringData", {}).items():
            given["data"] = {key: base64.b64encode(text.encode()).decode()}
        created = await super().create(resource, given)
        if ("create", resource.kind) in self.lost:
            self.lost.remove(("create", resource.kind))
            raise AWAY
        return created

    async def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        found = [raw for key, raw in self.objects.items() if key[:2] == (resource, namespace)]
        yield Page(version=1, items=copy.deepcopy(found))

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        foreground: bool = False,
    ) -> None:
        await super().delete(resource, name, namespace=namespace, uid=uid)
        self.objects.pop((SECRETS, namespace, name), None)

    async def log(
        self, pod: str, *, namespace: str, since: str = "", silence: float
    ) -> AsyncIterator[bytes]:
        if silence:
            raise AWAY
        yield b""


class Site:
    """An API server, a cache of it, and successive operators."""

    def __init__(self) -> None:
        self.api = JobApi()
        self.cache = WatchCache({PODS: pods_of})
        self.cache.put(MODELS, {"metadata": {"name": "gemma", "uid": UID}})

    def runner(self) -> JobRunner:
        pace = Pace(pods=0.01, job=0.05, grace=0.2)
        return JobRunner(self.api, self.cache, TEMPLATE, namespace="system", pace=pace)

    async def start(self, attempt: TransferAttempt) -> "asyncio.Task[Outcome]":
        """Start an attempt and wait for its Job and Secret."""
        task = asyncio.create_task(self.runner().run(attempt, lambda event: None))
        await assert_eventually(lambda: (SECRETS, "system", JOB) in self.api.objects)
        return task

    async def leave_job(self, attempt: TransferAttempt) -> None:
        """Create the Job of an earlier operator."""
        task = await self.start(attempt)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def job(self) -> Object:
        return self.api.objects[JOBS, "system", JOB]

    def end_pod(self, *, namespace: str = "system", outcome: Failed = FAILED) -> None:
        """Create a terminated pod with the Job's label."""
        pod: dict[str, Any] = ended(0, event_line(outcome))
        labels = {"batch.kubernetes.io/controller-uid": self.job()["metadata"]["uid"]}
        meta = {**pod["metadata"], "namespace": namespace, "labels": labels, "uid": namespace}
        self.cache.put(PODS, {**pod, "metadata": {**meta, "resourceVersion": "1"}})


@pytest.fixture
def site() -> Site:
    return Site()


def make_attempt(number: int = 1) -> TransferAttempt:
    target = StoreLocation(endpoint="http://store:9000", bucket="models", path="a.gguf")
    job = TransferJob(model_uid=UID, model_name="gemma", source=StoredInput(), target=target)
    return TransferAttempt(job=job, inputs="abc", number=number)


@pytest.mark.parametrize("kind", ["Job", "Secret"])
async def test_a_lost_answer_to_a_create_causes_no_second_job(site: Site, kind: str) -> None:
    site.api.lost.add(("create", kind))
    task = await site.start(make_attempt())
    await assert_eventually(lambda: site.api.lost == set())
    site.end_pod()
    assert await asyncio.wait_for(task, 60) == FAILED
    assert list(site.api.objects) == [(JOBS, "system", JOB), (SECRETS, "system", JOB)]


@pytest.mark.parametrize("kind", ["Job", "Secret"])
async def test_a_failed_create_is_retried(site: Site, kind: str) -> None:
    site.api.faults["create", kind] = AWAY
    task = await site.start(make_attempt())
    site.end_pod()
    assert await asyncio.wait_for(task, 60) == FAILED


async def test_a_refused_job_is_a_failure(site: Site) -> None:
    site.api.faults["create", "Job"] = KubeRejected("exceeded quota")
    outcome = await site.runner().run(make_attempt(), lambda event: None)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, "exceeded quota" in outcome.message) == ("TransferJobRefused", True)


async def test_a_pod_in_another_namespace_is_ignored(site: Site) -> None:
    task = await site.start(make_attempt())
    site.end_pod(namespace="demo", outcome=Failed(reason="Forged", message=""))
    await asyncio.sleep(0.1)
    assert not task.done()
    site.end_pod()
    assert await asyncio.wait_for(task, 60) == FAILED


async def test_the_next_operator_finds_the_running_job(site: Site) -> None:
    await site.leave_job(make_attempt(3))
    runner = site.runner()
    assert await runner.find_running() == [make_attempt(3)]
    site.end_pod()
    assert await runner.run(make_attempt(3), lambda event: None) == FAILED
    assert site.api.created_kinds() == ["Job", "Secret"]


async def test_a_job_without_a_model_is_deleted(site: Site) -> None:
    await site.leave_job(make_attempt())
    site.cache.remove(MODELS, ("", "gemma"))
    assert await site.runner().find_running() == []
    assert site.api.objects == {}


async def test_a_job_without_a_secret_is_deleted(site: Site) -> None:
    await site.leave_job(make_attempt())
    del site.api.objects[SECRETS, "system", JOB]
    assert await site.runner().find_running() == []
    assert site.api.objects == {}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"metadata": {"ownerReferences": [{"uid": "earlier"}]}}, id="of another Job"),
        pytest.param({"data": {"job": "e30="}}, id="no job in it"),
        pytest.param({"data": {"job": "%"}}, id="no base64"),
        pytest.param({"data": {}}, id="empty"),
    ],
)
async def test_a_job_with_an_invalid_secret_is_deleted(site: Site, change: Any) -> None:
    await site.leave_job(make_attempt())
    secret = site.api.objects[SECRETS, "system", JOB]
    secret["metadata"] |= change.get("metadata", {})
    secret["data"] = change.get("data", secret["data"])
    assert await site.runner().find_running() == []
    assert (JOBS, "system", JOB) not in site.api.objects


async def test_an_old_outcome_does_not_count_for_a_new_attempt(site: Site) -> None:
    await site.leave_job(make_attempt())
    site.end_pod()
    before = site.job()["metadata"]["uid"]
    task = asyncio.create_task(site.runner().run(make_attempt(2), lambda event: None))
    await assert_eventually(lambda: site.api.created_kinds().count("Secret") == 2)
    assert site.job()["metadata"]["uid"] != before
    assert not task.done()
    task.cancel()


async def test_a_new_job_waits_for_the_deletion_of_an_old_secret(site: Site) -> None:
    await site.leave_job(make_attempt())
    stale = site.api.objects[SECRETS, "system", JOB]
    del site.api.objects[JOBS, "system", JOB]
    task = asyncio.create_task(site.runner().run(make_attempt(2), lambda event: None))
    await assert_eventually(lambda: site.api.created_kinds().count("Secret") > 3)
    assert site.api.objects[SECRETS, "system", JOB] == stale
    del site.api.objects[SECRETS, "system", JOB]
    await assert_eventually(lambda: (SECRETS, "system", JOB) in site.api.objects)
    secret = site.api.objects[SECRETS, "system", JOB]
    assert secret["metadata"]["ownerReferences"][0]["uid"] == site.job()["metadata"]["uid"]
    assert json.loads(base64.b64decode(secret["data"]["job"])) == make_attempt().job.to_json()
    task.cancel()


async def test_a_job_that_could_not_be_deleted_is_still_known(site: Site) -> None:
    transfers = Transfers(site.runner(), concurrency=1, on_news=lambda uid: None)
    transfers.start(make_attempt(), tenants=())
    await assert_eventually(lambda: (SECRETS, "system", JOB) in site.api.objects)
    site.end_pod()
    await assert_eventually(lambda: _state(transfers) is State.ENDED)
    site.api.faults["delete", "Job"] = AWAY
    with pytest.raises(KubeUnavailable):
        await transfers.settle(UID)
    assert _state(transfers) is State.ENDED
    await transfers.settle(UID)
    assert (transfers.view(UID), site.api.objects) == (None, {})


def _state(transfers: Transfers) -> State | None:
    view = transfers.view(UID)
    return view.state if view else None
