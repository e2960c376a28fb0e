"""A pod with a server's label sends hostile answers to a browser on the console's host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from dev.console import chromium
from dev.demo.kubectl import Cluster
from tests.e2e.console.hostile_pod import MARK, hostile_pod, script_requests
from tests.e2e.gateway.site import Gateway

FETCH = """async url => {
    const answer = await fetch(url);
    return [answer.status, await answer.text()];
}"""
REGISTER = """url => navigator.serviceWorker.register(url, {scope: "/"})
    .then(() => "registered", String)"""
WORKERS = "navigator.serviceWorker.getRegistrations().then(all => all.length)"
ATTEMPTS = 40
"""The Service also routes to the real pod: each attempt reaches one of two."""


@pytest.fixture
def models(cluster: Cluster, place: str, served: str) -> Iterator[str]:
    """A path that is routed to the server or to a hostile pod with its label."""
    with hostile_pod(cluster, place, served):
        yield f"/{served}/v1/models"


def fetch_from_hostile_pod(page: Page, path: str) -> None:
    """Fetch from the console's page until the hostile pod has answered."""
    for _ in range(ATTEMPTS):
        status, text = page.evaluate(FETCH, path)
        if MARK in text:
            return
        # The gateway may still send requests to a pod that was just removed.
        assert status in (200, 502), text
        page.wait_for_timeout(250)
    raise AssertionError("the hostile pod received no request")


def test_hostile_pod_cannot_change_session_or_register_a_service_worker(
    alice: Page, gateway: Gateway, models: str
) -> None:
    alice.goto(f"{gateway.url}/servers")
    before = chromium.session_cookie(alice.context)
    fetch_from_hostile_pod(alice, models)
    assert chromium.session_cookie(alice.context) == before
    assert len(alice.context.cookies()) == 1
    assert alice.evaluate(REGISTER, models) != "registered"
    assert alice.evaluate(WORKERS) == 0
    alice.goto(f"{gateway.url}/servers")
    assert alice.url == f"{gateway.url}/servers"


def test_page_of_a_hostile_pod_is_not_rendered(
    cluster: Cluster, alice: Page, gateway: Gateway, place: str, models: str
) -> None:
    alice.goto(f"{gateway.url}/servers")
    fetch_from_hostile_pod(alice, models)
    for _ in range(ATTEMPTS // 4):
        opened = alice.goto(gateway.url + models)
        assert opened is not None
        assert opened.status == 403
    alice.goto(f"{gateway.url}/servers")
    assert script_requests(cluster, place) == []
