"""Visibility for two tenants and an administrator."""

import re

import pytest

from dev.console import sample_ledger, samples
from dev.servers.postgres import Postgres
from tests.apiserver.console.conftest import ALICES, BOBS
from tests.support.console_browser import Browser

ALICES_UUID = ALICES["metadata"]["uid"]
BOBS_UUID = BOBS["metadata"]["uid"]
UNKNOWN = "00000000-0000-4000-8000-000000000000"
OF_A_SERVER = ("/servers/{}", "/servers/{}/chat", "/{}", "/{}/", "/api/servers/{}",
               "/api/servers/{}/usage")  # fmt: skip


async def test_own_server_is_visible(alice: Browser) -> None:
    assert [(await alice.get(path.format(ALICES_UUID))).status for path in OF_A_SERVER] == [200] * 6


@pytest.mark.parametrize("path", OF_A_SERVER)
async def test_server_of_another_tenant_is_indistinguishable_from_a_missing_one(
    alice: Browser, path: str
) -> None:
    others, unknown = [await alice.get(path.format(uuid)) for uuid in (BOBS_UUID, UNKNOWN)]
    assert (others.status, timeless(others.text)) == (404, timeless(unknown.text))


def timeless(page: str) -> str:
    """The page without relative times, which may differ between two requests."""
    return re.sub("<time.*?</time>", "", page)


@pytest.mark.parametrize(
    "path",
    [
        "/servers", "/servers?q=secret", "/servers?q=other&status=Ready", "/models", "/contracts",
        "/serve", "/api/servers", "/api/models", "/api/contracts", f"/servers/{ALICES_UUID}",
    ],
)  # fmt: skip
async def test_pages_contain_nothing_of_another_tenant(alice: Browser, path: str) -> None:
    answer = await alice.get(path)
    assert answer.status == 200
    text = answer.text.replace("/servers?q=secret", "").replace('value="secret"', "")
    assert not any(secret in text for secret in ("secret-plan", "other-model", BOBS_UUID))


async def test_each_user_sees_own_servers(alice: Browser, bob: Browser) -> None:
    alices, bobs = [
        {row["name"] for row in (await each.get("/api/servers")).json["rows"]}
        for each in (alice, bob)
    ]
    assert "gemma" in alices
    assert bobs == {"secret-plan"}


async def test_counts_include_only_visible_servers(bob: Browser) -> None:
    assert (await bob.get("/api/servers")).json["counts"] == {"Ready": 1}


async def test_administrators_see_everything(browser: Browser) -> None:
    await browser.sign_in("ada", "roadstead-admins")
    assert (await browser.get(f"/servers/{BOBS_UUID}")).status == 200


async def test_user_without_contract_sees_nothing(browser: Browser) -> None:
    await browser.sign_in("eve", "nobodies")
    assert (await browser.get("/api/servers")).json["total"] == 0
    assert "No contract covers you" in (await browser.get("/contracts")).text


async def test_server_outside_its_contracts_namespaces_is_hidden(
    alice: Browser, ledger: Postgres
) -> None:
    stray = samples.serve("stray", namespace="elsewhere", contract="demo")
    await sample_ledger.write(ledger, [samples.record(stray)])
    assert (await alice.get(f"/servers/{stray['metadata']['uid']}")).status == 404
    assert "stray" not in (await alice.get("/api/servers")).text


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_server_of_another_tenant_cannot_be_changed(alice: Browser, method: str) -> None:
    answer = await alice.ask(method, f"/api/servers/{BOBS_UUID}", body={"replicas": 0})
    assert answer.status == 404
