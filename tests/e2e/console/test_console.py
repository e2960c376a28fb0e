"""A user with a browser and a token, from sign-in to sign-out, on the real cluster."""

from __future__ import annotations

import re
import ssl
import urllib.error
import urllib.request

from playwright.sync_api import Page, expect

from dev.console import chromium
from roadstead.tokens.sessions import COOKIE
from tests.e2e.console.page import CHAT, FormOf, ask, open_server, prevent_end_of_answer
from tests.e2e.gateway.conftest import NEW_CONNECTIONS
from tests.e2e.gateway.site import Gateway
from tests.support.waiting import wait_until

READY_MS = 300_000


def test_server_is_created_on_a_page_that_updates_live(
    alice: Page, gateway: Gateway, place: str
) -> None:
    FormOf(alice, gateway).fill(name="live", namespace=place)
    expect(alice.locator("[data-verdict]")).to_have_text("Allowed.")
    alice.get_by_role("button", name="Serve", exact=True).click()
    alice.wait_for_url(re.compile("/servers/[0-9a-f-]{36}$"))
    alice.evaluate("window.same = true")
    expect(alice.locator("h1 .status")).to_have_text("Ready", timeout=READY_MS)
    assert alice.evaluate("window.same")


def test_server_is_deleted_on_its_page(alice: Page, gateway: Gateway, place: str) -> None:
    alice.goto(f"{gateway.url}/servers?q={place}")
    alice.get_by_role("link", name="Details of live").click()
    alice.get_by_role("button", name="Delete").click()
    alice.get_by_role("dialog").get_by_role("button", name="Delete").click()
    alice.wait_for_url("**/servers")
    alice.goto(f"{gateway.url}/servers?q={place}")
    expect(alice.get_by_text("Nothing found")).to_be_visible(timeout=60_000)


def test_click_on_a_server_opens_its_gateway_address(
    alice: Page, gateway: Gateway, place: str, served: str
) -> None:
    open_server(alice, gateway, place)
    assert alice.url == f"{gateway.url}/{served}"
    assert ask(alice, "In one sentence: what is a harbour for?")


def test_answer_can_be_stopped(alice: Page, gateway: Gateway, place: str, served: str) -> None:
    open_server(alice, gateway, place)
    prevent_end_of_answer(alice)
    alice.get_by_label("Your message").fill("Count from one to a thousand, in words.")
    alice.get_by_role("button", name="Send").click()
    expect(alice.locator(".bubble-assistant .bubble-text")).not_to_be_empty(timeout=60_000)
    alice.get_by_role("button", name="Stop").click()
    expect(alice.get_by_text("stopped")).to_be_visible()


def test_denial_is_shown_with_the_contracts_message(
    alice: Page, gateway: Gateway, place: str
) -> None:
    FormOf(alice, gateway).fill(name="greedy", namespace=place, memory="64Gi")
    expect(alice.locator("[data-verdict]")).to_contain_text(f"contract {place} has")
    alice.get_by_role("button", name="Serve", exact=True).click()
    expect(alice.get_by_role("alert")).to_contain_text(f"contract {place} has")


def test_scaling_past_the_contract_is_denied_in_the_dialog(
    alice: Page, gateway: Gateway, served: str
) -> None:
    alice.goto(f"{gateway.url}/servers/{served}")
    alice.get_by_role("button", name="Scale").click()
    alice.get_by_label("Replicas").fill("9")
    alice.get_by_role("dialog").get_by_role("button", name="Scale").click()
    expect(alice.get_by_role("alert")).to_contain_text("9 replicas")


def test_other_tenant_can_neither_see_nor_open_the_server(
    bob: Page, gateway: Gateway, served: str
) -> None:
    bob.goto(f"{gateway.url}/servers?q={served}")
    expect(bob.get_by_text("Nothing found")).to_be_visible()
    for path in (f"/servers/{served}", f"/{served}"):
        answer = bob.goto(gateway.url + path)
        assert answer is not None
        assert answer.status == 404
    bob.goto(f"{gateway.url}/servers")
    assert bob.evaluate(CHAT, f"/{served}") == 403


def test_copied_cookie_is_denied_after_sign_out(alice: Page, gateway: Gateway, served: str) -> None:
    copied = chromium.session_cookie(alice.context)
    assert _status(gateway, f"/{served}/v1/models", copied) == 200
    alice.locator("details.who summary").click()
    alice.get_by_role("button", name="Sign out").click()
    expect(alice.get_by_text("You are signed out")).to_be_visible()
    assert alice.evaluate(CHAT, f"/{served}") == 401
    wait_until(lambda: _statuses(gateway, f"/{served}/v1/models", copied) == {403})
    assert _status(gateway, "/api/me", copied) == 401


def test_axe_finds_no_serious_violation(alice: Page, gateway: Gateway, served: str) -> None:
    for path in ("/servers", f"/servers/{served}", f"/{served}", "/models", "/contracts", "/serve"):
        alice.goto(gateway.url + path)
        assert chromium.serious_findings(alice) == [], path


def _statuses(gateway: Gateway, path: str, cookie: str) -> set[int]:
    """Of many requests: each replica of forward auth notices the end of a session by itself."""
    return {_status(gateway, path, cookie) for _ in range(NEW_CONNECTIONS)}


def _status(gateway: Gateway, path: str, cookie: str) -> int:
    """The status of a request with a copied cookie and the headers of a console page."""
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}
    headers = {"Cookie": f"{COOKIE}={cookie}", **own}
    request = urllib.request.Request(gateway.url + path, headers=headers)
    context = ssl.create_default_context(cafile=gateway.ca)
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
