"""Sign-in at a real OpenID provider (npm's oidc-provider), in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from dev.console import chromium
from dev.console.server import ConsoleProcess
from dev.servers.apiserver import ApiServer
from dev.servers.postgres import Postgres
from tests.apiserver.console.conftest import running_with_provider


@pytest.fixture(scope="module")
def opened() -> Iterator[Chromium]:
    with chromium.chromium() as browser:
        yield browser


@pytest.fixture
def page(opened: Chromium) -> Iterator[Page]:
    with chromium.window(opened) as window:
        yield window


def sign_in_at_provider(page: Page, console: ConsoleProcess, login: str, path: str) -> None:
    """Sign in at the provider, from a page of the console."""
    page.goto(console.origin + path)
    page.get_by_role("link", name="Sign in at").click()
    page.locator("[name=login]").fill(login)
    page.locator("[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    page.locator("button[type=submit]").click()


def test_sign_in_at_the_provider_returns_to_the_requested_page(
    page: Page, provided: ConsoleProcess
) -> None:
    sign_in_at_provider(page, provided, "alice+demo-users", "/servers?q=gemma")
    page.wait_for_url("**/servers?q=gemma")
    expect(page.locator(".who-name")).to_have_text("alice+demo-users")
    expect(page.get_by_role("link", name="gemma", exact=True)).to_be_visible()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_confidential_client_authenticates_by_the_supported_method(
    page: Page, apiserver: ApiServer, ledger: Postgres, tmp_path: Path, method: str
) -> None:
    given = {"client": "team:console", "secret": "50%+ more/less", "method": method}
    with running_with_provider(apiserver, ledger, tmp_path, **given) as console:
        sign_in_at_provider(page, console, "alice+demo-users", "/servers")
        page.wait_for_url("**/servers")
        expect(page.locator(".who-name")).to_have_text("alice+demo-users")


def test_groups_come_from_the_providers_token(page: Page, provided: ConsoleProcess) -> None:
    sign_in_at_provider(page, provided, "eve", "/servers")
    expect(page.get_by_text("No servers yet")).to_be_visible()


def test_token_is_neither_in_urls_nor_in_storage(page: Page, provided: ConsoleProcess) -> None:
    visited: list[str] = []
    page.on("framenavigated", lambda frame: visited.append(frame.url))
    sign_in_at_provider(page, provided, "alice+demo-users", "/servers")
    page.wait_for_url("**/servers")
    token = chromium.session_cookie(page.context)
    assert not any(token[:40] in url for url in visited)
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert page.evaluate("document.cookie") == ""


def test_sign_in_page_is_accessible(page: Page, provided: ConsoleProcess) -> None:
    page.goto(f"{provided.origin}/sign-in")
    assert chromium.serious_findings(page) == []
