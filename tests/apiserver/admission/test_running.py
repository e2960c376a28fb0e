"""The webhook servers: bodies that are not reviews, rollouts, and changed keys."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import client

from dev.servers.apiserver import ApiServer
from roadstead.tokens.receipt_keys import SigningKey
from tests.apiserver.admission.balancer import Balancer
from tests.apiserver.admission.conftest import MakeToken
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.builders.reviews import review, thing
from tests.support.custom_objects import apply, create, patch, refusal
from tests.support.waiting import assert_eventually, wait_until
from tests.support.webhooks.tokens import RECEIPT, with_token
from tests.support.webhooks.webhook_process import Folder, WebhookProcess, running_webhooks


@contextlib.contextmanager
def _other_key(folder: Folder) -> Iterator[None]:
    """Replace the webhooks' key until the end of the block."""
    path = folder.path / "receipt-keys" / "0.pem"
    before = path.read_bytes()
    _replace_key(SigningKey.generate().private_pem, path, folder)
    try:
        yield
    finally:
        _replace_key(before, path, folder)


def _replace_key(pem: bytes, path: Path, folder: Folder) -> None:
    """Write the key, and wait until both servers have read it."""
    logs = [folder.path / f"webhooks-{name}.log" for name in "ab"]

    def changes() -> list[int]:
        return [log.read_text().count("the receipt keys have changed") for log in logs]

    before = changes()
    path.write_bytes(pem)
    wait_until(lambda: all(now > then for now, then in zip(changes(), before, strict=True)))


GOOD = json.dumps(review("CREATE", thing())).encode()
COMPACT = json.dumps(
    {"kind": "", "apiVersion": "", **review("CREATE", thing())}, separators=(",", ":")
).encode()
"""A review as the API server serializes it: the uid precedes what the caller sent."""
JSON = "application/json"


@pytest.fixture(params=["/mutate", "/validate"])
def path(request: pytest.FixtureRequest, folder: Folder) -> str:
    """Return the URL that the API server calls."""
    return f"{request.param}/{folder.review_secret}"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"", JSON, 400, id="empty"),
        pytest.param(GOOD[:-40], JSON, 400, id="truncated"),
        pytest.param(GOOD.replace(b"k8s.io/v1", b"k8s.io/v1beta1"), JSON, 400, id="v1beta1"),
        pytest.param(GOOD.replace(b'"one"', b'"' + b"x" * 300_000 + b'"'), JSON, 200, id="600 kB"),
        pytest.param(COMPACT.replace(b'"one"', b'"' + b"x" * 1_500_000 + b'"'), JSON, 200, id="3M"),
        pytest.param(b" " * (3 * 2**20) + GOOD, JSON, 413, id="over 3 MiB"),
        pytest.param(COMPACT + b" " * (9 * 2**20), JSON, 413, id="over 8 MiB"),
        pytest.param(b"[" * 20_000, JSON, 400, id="nested"),
        pytest.param(b"\xff\xfe{}", JSON, 400, id="no UTF-8"),
        pytest.param(GOOD, "text/plain", 415, id="another content type"),
    ],
)
async def test_body_that_is_not_a_review_is_rejected(
    https: aiohttp.ClientSession, path: str, body: bytes, kind: str, status: int
) -> None:
    headers = {"Content-Type": kind}
    async with https.post(path, data=io.BytesIO(body), headers=headers) as answer:
        assert answer.status == status
        if status == 200:
            assert (await answer.json())["response"]["allowed"] is False


async def test_resource_and_kind_that_disagree_are_denied(
    https: aiohttp.ClientSession, path: str
) -> None:
    asked: dict[str, Any] = review("CREATE", thing("Model"))
    async with https.post(path, json=asked) as answer:
        response = (await answer.json())["response"]
    assert response["uid"] == asked["request"]["uid"]
    assert not response["allowed"]
    assert response["status"]["message"].startswith("RequestMismatch")


async def test_metrics_count_admissions_and_show_key_ages(
    https: aiohttp.ClientSession, folder: Folder, webhooks: tuple[WebhookProcess, ...]
) -> None:
    path = f"/mutate/{folder.review_secret}"
    async with https.post(path, json=review("CREATE", thing())) as answer:
        assert answer.status == 200
    metrics = webhooks[0].metrics()
    labels = 'kind="ModelServe",operation="CREATE",reason="TokenMissing",verdict="denied"'
    assert f"roadstead_admissions_total{{{labels}" in metrics
    assert "roadstead_admission_duration_seconds_bucket" in metrics
    assert 'roadstead_issuer_keys_age_seconds{issuer="roadstead-dev"}' in metrics
    assert "roadstead_reservation_conflicts_total" in metrics


async def test_no_admission_fails_while_a_server_is_replaced(
    apiserver: ApiServer,
    api: client.ApiClient,
    namespace: str,
    contract: Raw,
    token: MakeToken,
    folder: Folder,
    balancer: Balancer,
) -> None:
    # Takes half a minute: two servers start, are called, and exit after their grace period.
    grace = {"ROADSTEAD_SHUTDOWN_GRACE_SECONDS": "5"}
    stop = asyncio.Event()
    answers: list[str] = []

    async def calls() -> None:
        while not stop.is_set():
            body = with_token(make_modelserve(namespace), token())
            answers.append(await refusal(create(api, body), allowed="admitted"))

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(calls())
        for name in ("c", "d"):
            with running_webhooks(apiserver, folder, name=name, **grace) as third:
                await _come_and_go(third, balancer, answers)
        stop.set()
    assert set(answers) == {"admitted"}


async def _come_and_go(server: WebhookProcess, balancer: Balancer, answers: list[str]) -> None:
    """Serve 40 calls, then exit as a pod does when the kubelet terminates it."""
    enough = len(answers) + 40
    balancer.ports.append(server.port)
    await assert_eventually(lambda: len(answers) > enough)
    server.process.terminate()
    await assert_eventually(lambda: not server.ready, interval=0.02)
    # Endpoints change shortly after the probe.
    await asyncio.sleep(0.3)
    balancer.ports.remove(server.port)
    await assert_eventually(lambda: server.process.poll() is not None)
    assert server.process.returncode == 0


async def test_receipt_of_a_retired_key_is_invalid_and_a_token_renews_it(
    api: client.ApiClient, namespace: str, contract: Raw, token: MakeToken, folder: Folder
) -> None:
    body = make_modelserve(namespace)
    stored = await apply(api, with_token(body, token()))
    # An unchanged object causes no review, so each attempt has another number.
    numbers = itertools.count(2)
    with _other_key(folder):

        async def scaled() -> str:
            number = next(numbers)
            return await refusal(
                patch(api, stored, {"spec": {"replicas": number}}, "scale"), allowed="admitted"
            )

        async def retired() -> bool:
            return "ReceiptKeyUnknown" in await scaled() and "ReceiptKeyUnknown" in await scaled()

        await assert_eventually(retired)
        renewed = await apply(api, with_token(body, token()))
        before = stored["metadata"]["annotations"][RECEIPT]
        assert renewed["metadata"]["annotations"][RECEIPT] != before
        assert await scaled() == "admitted"
