"""Signing in at a real OpenID provider (npm's oidc-provider), in a real browser."""

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
from tests.apiserver.console.conftest import providing


@pytest.fixture(scope="module")
def opened() -> Iterator[Chromium]:
    with chromium.chromium() as browser:
        yield browser


@pytest.fixture
def page(opened: Chromium) -> Iterator[Page]:
    with chromium.window(opened) as window:
        yield window


def at_the_provider(page: Page, console: ConsoleProcess, login: str, path: str) -> None:
    """Sign in there, on the way to a page of the console."""
    page.goto(console.origin + path)
    page.get_by_role("link", name="Sign in at").click()
    page.locator("[name=login]").fill(login)
    page.locator("[name=password]").fill("any")
    page.locator("button[type=submit]").click()
    page.locator("button[type=submit]").click()


def test_person_signs_in_at_the_provider_and_lands_where_he_wanted(
    page: Page, provided: ConsoleProcess
) -> None:
    at_the_provider(page, provided, "alice+demo-users", "/servers?q=gemma")
    page.wait_for_url("**/servers?q=gemma")
    expect(page.locator(".who-name")).to_have_text("alice+demo-users")
    expect(page.get_by_role("link", name="gemma", exact=True)).to_be_visible()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_console_with_a_secret_shows_it_as_the_provider_wants(
    page: Page, apiserver: ApiServer, ledger: Postgres, tmp_path: Path, method: str
) -> None:
    given = {"client": "team:console", "secret": "50%+ more/less", "method": method}
    with providing(apiserver, ledger, tmp_path, **given) as console:
        at_the_provider(page, console, "alice+demo-users", "/servers")
        page.wait_for_url("**/servers")
        expect(page.locator(".who-name")).to_have_text("alice+demo-users")


def test_groups_are_the_providers(page: Page, provided: ConsoleProcess) -> None:
    at_the_provider(page, provided, "eve", "/servers")
    expect(page.get_by_text("No servers yet")).to_be_visible()


def test_sign_in_leaves_no_token_in_an_address_or_in_storage(
    page: Page, provided: ConsoleProcess
) -> None:
    visited: list[str] = []
    page.on("framenavigated", lambda frame: visited.append(frame.url))
    at_the_provider(page, provided, "alice+demo-users", "/servers")
    page.wait_for_url("**/servers")
    token = chromium.session_cookie(page.context)
    assert not any(token[:40] in url for url in visited)
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert page.evaluate("document.cookie") == ""


def test_sign_in_page_has_nothing_serious(page: Page, provided: ConsoleProcess) -> None:
    page.goto(f"{provided.origin}/sign-in")
    assert chromium.serious_findings(page) == []
