"""Transfers as Jobs of the chart's template: created, followed, found again, deleted."""

import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import yaml

from dev import binaries
from roadstead.process.operator import Operator
from tests.apiserver.reconciling.nodes import Node, standing_node
from tests.support import custom_objects
from tests.support.builders.objects import Raw, fresh_name
from tests.support.charts import NO_LEDGER, Chart
from tests.support.fault_server import FaultServer
from tests.support.operator.namespace import Operated
from tests.support.operator.site import LARGE, PART_BYTES
from tests.support.raw_objects import send_raw
from tests.support.waiting import assert_eventually

CONNECTIONS = 2

Operating = Callable[[], contextlib.AbstractAsyncContextManager[Operator]]


@pytest.fixture(scope="module")
def chart() -> Chart:
    return Chart(helm=binaries.ensure("helm")["helm"])


@pytest.fixture
async def node(operated: Operated, tmp_path: Path) -> AsyncIterator[Node]:
    async with standing_node(operated, tmp_path) as found:
        yield found


@pytest.fixture
def template(operated: Operated, slow: FaultServer, chart: Chart) -> Raw:
    """The chart's template, for the test's store and sources."""
    site = operated.site
    rendered = chart.render(
        {
            **NO_LEDGER,
            "store": {
                "endpoint": site.store.endpoint,
                "existingSecret": "store",
                "embedded": {"enabled": False},
            },
            "quant": {"endpoint": site.quant_endpoint},
            "source": {"allow": [site.source.endpoint, f"127.0.0.1:{slow.port}"]},
            "transfer": {"runner": "job", "connections": CONNECTIONS},
        }
    )
    return rendered.transfer_job()


@pytest.fixture
def operator(operated: Operated, template: Raw, tmp_path: Path) -> Operating:
    """An operator that creates Jobs from the current template."""

    def operating() -> contextlib.AbstractAsyncContextManager[Operator]:
        path = tmp_path / "job.yaml"
        path.write_text(yaml.safe_dump(template))
        return operated.operator(
            ROADSTEAD_NAMESPACE=operated.namespace,
            ROADSTEAD_TRANSFER_RUNNER="job",
            ROADSTEAD_TRANSFER_JOB_TEMPLATE=str(path),
        )

    return operating


async def known(operated: Operated) -> Raw:
    """A Model that the Quant service knows."""
    name = operated.site.publish()
    return await operated.model(name=name, source={"quant": {"modelId": name}})


async def behind_url(operated: Operated, url: str) -> Raw:
    name = fresh_name("model")
    await operated.secret(name, url)
    ref = {"name": name, "namespace": operated.namespace}
    return await operated.model(name=name, source={"presignedUrl": {"secretRef": ref}})


async def is_deleted(operated: Operated, job: Raw) -> Raw:
    """Wait until the Job is being deleted."""

    async def on_its_way() -> bool:
        found = await operated.child("jobs", job["metadata"]["name"])
        return "deletionTimestamp" in found["metadata"]

    await assert_eventually(on_its_way)
    return await operated.child("jobs", job["metadata"]["name"])


async def test_a_job_transfers_a_model_and_is_deleted(
    operated: Operated, node: Node, operator: Operating
) -> None:
    async with operator():
        model = await known(operated)
        job = await node.job(model)
        pod = await node.runs(job)
        assert await pod.ends() == 0
        await operated.wait_for_reason(model, "Verified", "Verified")
        await node.collects(await is_deleted(operated, job))
    (owner,) = job["metadata"]["ownerReferences"]
    assert owner["uid"] == model["metadata"]["uid"]
    assert not await operated.has("jobs", job["metadata"]["name"])


async def test_secrets_of_a_job_are_only_in_its_secret(
    operated: Operated, node: Node, operator: Operating, slow: FaultServer, template: Raw
) -> None:
    async with operator():
        model = await behind_url(operated, slow.url)
        job = await node.job(model)
        given = json.loads(await node.given(job))
    assert given["source"] == {"kind": "url", "url": slow.url}
    assert "X-Amz" not in json.dumps(job)
    (wanted,) = template["spec"]["template"]["spec"]["containers"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {**wanted, "env": ()} == {**{key: container[key] for key in wanted}, "env": ()}


@pytest.mark.fault("R2", heals="the next operator follows the Job")
async def test_the_next_operator_follows_the_running_job(
    operated: Operated, node: Node, operator: Operating
) -> None:
    async with operator():
        model = await known(operated)
        job = await node.job(model)
        pod = await node.runs(job)
    assert await pod.ends() == 0
    async with operator():
        await operated.wait_for_reason(model, "Verified", "Verified")
        gone = await is_deleted(operated, job)
    assert gone["metadata"]["uid"] == job["metadata"]["uid"]
    assert len(node.pods) == 1


@pytest.mark.fault("R2", heals="the Job's next pod resumes the upload")
async def test_the_next_pod_resumes_the_upload_of_a_killed_one(
    operated: Operated, node: Node, operator: Operating, slow: FaultServer
) -> None:
    slow.pause_after = LARGE // 2
    async with operator():
        model = await behind_url(operated, slow.url)
        job = await node.job(model)
        first = await node.runs(job)
        await assert_eventually(lambda: slow.has_sent(LARGE // 2))

        async def remembered() -> bool:
            return "resume" in json.loads(await node.given(job))

        await assert_eventually(remembered)
        first.process.send_signal(signal.SIGKILL)
        await first.ends()
        slow.pause_after = None
        second = await node.runs(job)
        assert await second.ends() == 0
        found = await operated.wait_for_reason(model, "Verified", "Verified")
    assert any(b"resuming with" in line for _, line in second.lines)
    assert slow.bytes_sent <= LARGE + (CONNECTIONS + 1) * PART_BYTES
    assert found["status"]["sizeBytes"] == len(slow.content)


async def test_the_progress_of_a_job_is_in_the_status(
    operated: Operated, node: Node, operator: Operating, slow: FaultServer
) -> None:
    slow.pause_after = LARGE // 3
    async with operator():
        model = await behind_url(operated, slow.url)
        pod = await node.runs(await node.job(model))

        async def has_progress() -> bool:
            found = await custom_objects.get(operated.api, model)
            return bool(found["status"].get("transfer", {}).get("percent", 0) >= 20)

        await assert_eventually(has_progress)
        slow.pause_after = None
        assert await pod.ends() == 0


async def test_the_deletion_of_a_model_waits_for_its_job(
    operated: Operated, node: Node, operator: Operating, slow: FaultServer
) -> None:
    slow.pause_after = 0
    async with operator():
        model = await behind_url(operated, slow.url)
        job = await node.job(model)
        await node.runs(job)
        await custom_objects.delete(operated.api, model)
        await operated.wait_for_reason(model, "Ready", "TransferEnding")
        await node.collects(await is_deleted(operated, job))
        await assert_eventually(lambda: _is_gone(operated, model))


async def _is_gone(operated: Operated, model: Raw) -> bool:
    name = model["metadata"]["name"]
    listed = await send_raw(operated.api, "GET", custom_objects.path(model, named=False))
    return name not in [each["metadata"]["name"] for each in listed["items"]]


async def test_another_attempt_gets_another_job(
    operated: Operated, node: Node, operator: Operating
) -> None:
    name = operated.site.publish()
    async with operator():
        model = await operated.model(
            name=name, source={"quant": {"modelId": name}}, sha256="0" * 64
        )
        first = await node.job(model)
        assert await (await node.runs(first)).ends() == 0
        await operated.wait_for_reason(model, "Verified", "DigestMismatch")
        again = {"metadata": {"annotations": {"model.example.com/retry": "1"}}}
        await custom_objects.patch(operated.api, model, again)
        await node.collects(await is_deleted(operated, first))
        second = await node.job(model)
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert (attempt_of(first), attempt_of(second)) == ("1", "2")


def attempt_of(job: Raw) -> str:
    attempt: str = job["metadata"]["annotations"]["model.example.com/transfer-attempt"]
    return attempt


async def test_a_deleted_job_is_created_again_with_a_new_secret(
    operated: Operated, node: Node, operator: Operating
) -> None:
    async with operator():
        model = await known(operated)
        first = await node.job(model)
        name = first["metadata"]["name"]
        background = f"{operated.path('jobs')}/{name}?propagationPolicy=Background"
        await send_raw(operated.api, "DELETE", background)

        async def created_again() -> bool:
            jobs = await operated.children("jobs")
            uids = [each["metadata"]["uid"] for each in jobs if each["metadata"]["name"] == name]
            return bool(uids) and uids != [first["metadata"]["uid"]]

        await assert_eventually(created_again)
        # Act as the garbage collector.
        await send_raw(operated.api, "DELETE", f"{operated.path('secrets')}/{name}")
        second = await node.job(model)
        secret = await operated.child("secrets", name)
        assert await (await node.runs(second)).ends() == 0
        await operated.wait_for_reason(model, "Verified", "Verified")
    (owner,) = secret["metadata"]["ownerReferences"]
    assert owner["uid"] == second["metadata"]["uid"]


async def test_a_refused_job_is_reported_with_the_api_servers_message(
    operated: Operated, operator: Operating, template: Raw
) -> None:
    template["spec"]["backoffLimit"] = -1
    async with operator():
        found = await operated.wait_for_reason(
            await known(operated), "Stored", "TransferJobRefused"
        )
    (stored,) = (each for each in found["status"]["conditions"] if each["type"] == "Stored")
    assert "spec.backoffLimit" in stored["message"]
