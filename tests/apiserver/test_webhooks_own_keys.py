"""`roadstead webhooks` as the chart starts it: with nothing but empty Secrets, and rights."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client

from dev import binaries
from dev.servers.apiserver import ApiServer
from dev.servers.process import free_ports
from roadstead.api.group import ANNOTATION_SERVER_ID
from tests.support import custom_objects
from tests.support.builders.objects import Raw, fresh_name, make_contract, make_modelserve
from tests.support.charts import Chart
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import RECEIPT, dev_token, with_token
from tests.support.webhooks.webhook_process import Folder, prepare, running_webhooks


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Issuers; the keys and certificates in it are not those that are used here."""
    return prepare(tmp_path)


@pytest.fixture
def port() -> int:
    """Where the API server asks."""
    (found,) = free_ports(1)
    return found


@pytest.fixture
async def configuration(api: client.ApiClient, namespace: str, port: int) -> str:
    """The chart's configurations, for the test's namespace alone, which trust nobody yet."""
    name = fresh_name("own")
    rendered = Chart(helm=binaries.ensure("helm")["helm"]).render()
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        body = rendered.one(kind, "roadstead")
        body["metadata"] = {"name": name}
        (hook,) = body["webhooks"]
        hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}"}
        hook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        hook["rules"] = [{**hook["rules"][0], "resources": ["modelserves"]}]
        await custom_objects.call(
            api, "POST", f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}s", body
        )
    return name


async def test_webhooks_make_their_keys_and_are_believed(
    apiserver: ApiServer,
    api: client.ApiClient,
    namespace: str,
    folder: Folder,
    port: int,
    configuration: str,
    tmp_path: Path,
) -> None:
    # Of those that cover a namespace the first by name counts; other tests' are called contract-*.
    contract = make_contract(name=fresh_name("a"), namespaces={"names": [namespace]})
    await custom_objects.create(api, contract)
    environ = {
        "ROADSTEAD_NAMESPACE": namespace,
        "ROADSTEAD_HTTPS_PORT": str(port),
        "ROADSTEAD_TLS_DIR": str(tmp_path / "run" / "tls"),
        "ROADSTEAD_TLS_SECRET": "webhooks-tls",
        "ROADSTEAD_TLS_NAMES": "127.0.0.1",
        "ROADSTEAD_WEBHOOK_CONFIGURATION": configuration,
        "ROADSTEAD_REVIEW_PATHS_SECRET": "review-paths",
        "ROADSTEAD_REVIEW_PATHS_DIR": str(tmp_path / "run" / "review-paths"),
        "ROADSTEAD_RECEIPT_KEYS_DIR": str(tmp_path / "run" / "receipts"),
        "ROADSTEAD_RECEIPTS_SECRET": "receipts",
        "ROADSTEAD_RECEIPT_KEYS": "receipt-keys",
    }
    with running_webhooks(apiserver, folder, name="own", **environ):

        async def asked() -> bool:
            """The API server learns of the new authority by a watch of its own."""
            return "TokenMissing" in await _refusal(api, make_modelserve(namespace))

        await assert_eventually(asked)
        body = with_token(make_modelserve(namespace), dev_token(folder))
        stored: Raw = {}

        async def believed() -> bool:
            """It learns of the two configurations apart."""
            nonlocal stored
            with contextlib.suppress(client.ApiException):
                stored = await custom_objects.create(api, body)
            return bool(stored)

        await assert_eventually(believed)
    assert stored["metadata"]["annotations"].keys() == {RECEIPT, ANNOTATION_SERVER_ID}
    assert stored["spec"]["contract"] == contract["metadata"]["name"]
    keys = await client.CoreV1Api(api).read_namespaced_config_map("receipt-keys", namespace)
    assert keys.data


async def _refusal(api: client.ApiClient, body: Raw) -> str:
    try:
        accepted: Any = await custom_objects.create(api, body)
    except client.ApiException as error:
        return str(error.body)
    return f"accepted: {accepted}"
