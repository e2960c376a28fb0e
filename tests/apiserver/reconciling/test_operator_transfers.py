"""Transfers interrupted by an operator's exit, an expired URL or an unavailable store."""

import asyncio
import contextlib
import datetime
import signal
from pathlib import Path

import pytest

from dev.servers import objectstore
from dev.servers.apiserver import ApiServer
from dev.servers.objectstore import ObjectStore
from dev.servers.process import free_port
from roadstead import metrics
from tests.support import custom_objects
from tests.support.builders.objects import Raw, fresh_name
from tests.support.fault_server import FaultServer
from tests.support.operator.namespace import Operated, condition
from tests.support.operator.operator_process import operator_process
from tests.support.operator.replicas import running_replicas
from tests.support.operator.site import BUCKET, LARGE, PART_BYTES
from tests.support.store_client import minio
from tests.support.waiting import assert_eventually

CONNECTIONS = 2


def _environ(operated: Operated, slow: FaultServer) -> dict[str, str]:
    return operated.site.environ(
        operated.kubeconfig,
        ROADSTEAD_SOURCE_ALLOW=f"127.0.0.1:{slow.port}",
        ROADSTEAD_TRANSFER_CONNECTIONS=str(CONNECTIONS),
    )


async def _behind_url(operated: Operated, url: str) -> Raw:
    name = fresh_name("model")
    await operated.secret(name, url)
    ref = {"name": name, "namespace": operated.namespace}
    return await operated.model(name=name, source={"presignedUrl": {"secretRef": ref}})


async def _half_way(operated: Operated, model: Raw, slow: FaultServer, share: float = 0.6) -> str:
    """Wait until this share was sent, block the rest, and return the upload in the status."""
    slow.pause_after = int(share * LARGE)

    async def under_way() -> bool:
        return slow.has_sent(slow.pause_after) and bool(await _upload(operated, model))

    await assert_eventually(under_way)
    return await _upload(operated, model)


async def _upload(operated: Operated, model: Raw) -> str:
    found = await custom_objects.get(operated.api, model)
    upload: str = found.get("status", {}).get("transfer", {}).get("uploadId", "")
    return upload


async def _uploads_until_verified(operated: Operated, model: Raw, slow: FaultServer) -> set[str]:
    """Every upload in the status until the model is verified.

    What was held back comes only after a first look, so that there is one before the end.
    """
    seen: set[str] = set()

    async def verified() -> bool:
        found = await custom_objects.get(operated.api, model)
        seen.add(found["status"].get("transfer", {}).get("uploadId", ""))
        slow.pause_after = None
        return condition(found, "Verified").get("reason") == "Verified"

    await assert_eventually(verified)
    return seen - {""}


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def _dead(pids: list[int]) -> bool:
    """Whether they have exited; one whose parent is stopped remains as a zombie."""
    states = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] for pid in pids]
    return bool(pids) and set(states) == {"Z"}


@pytest.mark.fault("R2", heals="the next operator resumes the upload")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 0, id="sigterm"),
        pytest.param(signal.SIGKILL, -9, id="sigkill"),
    ],
)
async def test_a_transfer_is_resumed_by_the_next_operator(
    operated: Operated, slow: FaultServer, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    environ, log = _environ(operated, slow), tmp_path / "operator.log"
    async with operator_process(environ, log) as process:
        model = await _behind_url(operated, slow.url)
        upload = await _half_way(operated, model, slow)
        transfers = _children(process.pid)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 120) == code
        await assert_eventually(lambda: _gone(transfers))
    async with operator_process(environ, log):
        assert await _uploads_until_verified(operated, model, slow) == {upload}
    assert len(transfers) == 1
    assert "resuming with" in log.read_text()
    # Each byte once, except what sockets had buffered when connections closed.
    assert slow.bytes_sent <= LARGE + (CONNECTIONS + 1) * PART_BYTES


async def test_a_transfer_of_a_paused_leader_is_resumed_by_the_next_leader(
    operated: Operated, apiserver: ApiServer, slow: FaultServer, tmp_path: Path
) -> None:
    allow = {
        "ROADSTEAD_SOURCE_ALLOW": f"127.0.0.1:{slow.port}",
        "ROADSTEAD_TRANSFER_CONNECTIONS": str(CONNECTIONS),
    }
    async with running_replicas(operated, apiserver, tmp_path, **allow) as replicas:
        first = await replicas.start("a")
        await replicas.leads(first)
        second = await replicas.start("b")
        model = await _behind_url(operated, slow.url)
        upload = await _half_way(operated, model, slow, share=0.3)
        transfers = _children(first.process.pid)
        first.signal(signal.SIGSTOP)
        await assert_eventually(lambda: _dead(transfers))
        assert "this operator leads now" not in second.log.read_text()
        assert await _uploads_until_verified(operated, model, slow) == {upload}
        first.signal(signal.SIGCONT)
        assert await first.code() == 1
        assert "resuming with" in second.log.read_text()


@pytest.mark.fault("R11", heals="SourceURLExpired, until the Secret has another URL")
async def test_an_expired_url_waits_for_a_change_of_its_secret(operated: Operated) -> None:
    # A minute: Secrets are not watched; a waiting Model checks its own periodically.
    name = operated.site.publish()
    client = minio(operated.site.source)

    def presigned(seconds: int) -> str:
        lifetime = datetime.timedelta(seconds=seconds)
        return client.get_presigned_url("GET", BUCKET, f"{name}.gguf", expires=lifetime)

    old = presigned(1)
    await asyncio.sleep(2)
    async with operated.operator():
        model = await _behind_url(operated, old)
        found = await operated.wait_for_reason(model, "Stored", "SourceURLExpired")
        await operated.secret(model["metadata"]["name"], presigned(3600))
        await operated.wait_for_reason(model, "Verified", "Verified")
    assert found["status"]["transfer"]["retry"] == "on-change"


async def test_a_url_that_expires_during_a_transfer_loses_no_bytes(
    operated: Operated, slow: FaultServer
) -> None:
    # A minute, as above, and a slow source, so that the URL expires during the transfer.
    slow.expire_after = LARGE // 2
    changes = {
        "ROADSTEAD_SOURCE_ALLOW": f"127.0.0.1:{slow.port}",
        "ROADSTEAD_TRANSFER_CONNECTIONS": str(CONNECTIONS),
    }
    async with operated.operator(**changes):
        model = await _behind_url(operated, slow.url)
        await operated.wait_for_reason(model, "Stored", "SourceURLExpired")
        upload = await _upload(operated, model)
        await operated.secret(model["metadata"]["name"], f"{slow.url}&fresh")
        assert await _uploads_until_verified(operated, model, slow) == {upload}
    assert slow.bytes_sent <= LARGE + (CONNECTIONS + 1) * PART_BYTES


def _at(store: ObjectStore) -> dict[str, str]:
    """The settings of an operator with this store."""
    return {
        "ROADSTEAD_STORE_ENDPOINT": store.endpoint,
        "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(store.access_key_file),
        "ROADSTEAD_STORE_SECRET_KEY_FILE": str(store.secret_key_file),
    }


@pytest.mark.fault("R10", heals="retried with backoff until the store is available")
async def test_an_unavailable_store_is_reported_and_retried(
    operated: Operated, tmp_path: Path
) -> None:
    name, port = operated.site.publish(), free_port()
    with objectstore.running(tmp_path / "store", port=port) as store:
        settings = _at(store)
    async with operated.operator(**settings):
        model = await operated.model(name=name, source={"quant": {"modelId": name}})
        await operated.wait_for_reason(model, "Stored", "StoreUnreachable")
        before = _reconciles()
        await asyncio.sleep(10)
        assert _reconciles() - before <= 2
        with objectstore.running(tmp_path / "store", port=port):
            await operated.wait_for_reason(model, "Verified", "Verified")


def _reconciles() -> float:
    """How often operators of this process reconciled any Model."""
    results = ("done", "retry", "error")
    counters = [metrics.RECONCILES.labels("model", result) for result in results]
    return float(sum(counter._value.get() for counter in counters))


@pytest.mark.fault("R10", heals="the same upload resumes when the store is available")
async def test_an_upload_is_resumed_after_an_outage_of_the_store(
    operated: Operated, slow: FaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Half a minute: fifteen seconds without the store, then the backoff.
    caplog.set_level("INFO")
    port = free_port()
    allow = {"ROADSTEAD_SOURCE_ALLOW": f"127.0.0.1:{slow.port}"}
    with contextlib.ExitStack() as first:
        store = first.enter_context(objectstore.running(tmp_path / "store", port=port))
        async with operated.operator(**_at(store), **allow):
            model = await _behind_url(operated, slow.url)
            upload = await _half_way(operated, model, slow, share=0.8)
            first.close()
            slow.pause_after = None
            await operated.wait_for_reason(model, "Stored", "StoreUnreachable")
            await asyncio.sleep(15)
            assert caplog.text.count("the transfer ended: StoreUnreachable") <= 3
            with objectstore.running(tmp_path / "store", port=port):
                assert await _uploads_until_verified(operated, model, slow) == {upload}
