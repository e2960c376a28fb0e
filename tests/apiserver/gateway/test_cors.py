"""Pages of other sites that call a server from a browser, by a list of their origins."""

from __future__ import annotations

import email
from email.message import Message

import pytest

from dev.console import chromium
from tests.apiserver.gateway.conftest import Host
from tests.apiserver.gateway.test_requests import statuses

EVIL = "https://evil.example.com"
ASKS = "Access-Control-Request-Method: POST"
ALLOW = "Access-Control-Allow-Origin"
CALL = """async ([url, token, name]) => {
    const prefix = name === "Authorization" ? "Bearer " : "";
    const headers = {
        [name]: prefix + token, "Content-Type": "application/json", "X-Stainless-Os": "Linux",
    };
    try {
        const answer = await fetch(url, {method: "POST", headers, body: "{}"});
        return `${answer.status} ${await answer.text()}`;
    } catch (error) {
        return String(error);
    }
}"""


def headers_of(heard: bytes) -> Message:
    """Of the one response in what was heard."""
    head = heard.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2]
    return email.message_from_bytes(head)


def preflight(host: Host, origin: str, path: str = "/v1/chat/completions") -> bytes:
    """As browsers send it: without a token."""
    lines = (f"Origin: {origin}", ASKS, "Access-Control-Request-Headers: authorization")
    return host.exchange_without_token("OPTIONS", f"/{host.uuid}{path}", *lines)


def test_preflight_of_a_listed_origin_is_answered_without_the_server(host: Host) -> None:
    heard = preflight(host, host.app.url)
    assert statuses(heard) == [200]
    found = headers_of(heard)
    assert found[ALLOW] == host.app.url
    assert "authorization" in found["Access-Control-Allow-Headers"].lower()
    assert found["Access-Control-Allow-Credentials"] is None
    assert host.server.requests == []


@pytest.mark.parametrize("path", ["", "/", "/slots", "/v1/models", "/v1/../slots"])
def test_no_preflight_reaches_the_server(host: Host, path: str) -> None:
    for origin in (host.app.url, EVIL, "null", "*"):
        preflight(host, origin, path)
    assert host.server.requests == []


@pytest.mark.parametrize("origin", [EVIL, "null", "*", "http://127.0.0.1", "https://localhost"])
def test_preflight_of_another_origin_is_allowed_nothing(host: Host, origin: str) -> None:
    assert headers_of(preflight(host, origin))[ALLOW] is None


def test_other_requests_by_options_need_a_token_and_reach_no_server(host: Host) -> None:
    target = f"/{host.uuid}/v1/models"
    for lines in ((), (ASKS,), (f"Origin: {host.app.url}",), ("Origin:", ASKS)):
        assert statuses(host.exchange_without_token("OPTIONS", target, *lines)) == [401]
        assert statuses(host.exchange("OPTIONS", target, *lines)) == [404]
    assert host.server.requests == []


def test_answer_of_a_server_is_for_its_listed_origin(host: Host) -> None:
    host.server.headers = {ALLOW: "*", "Access-Control-Allow-Credentials": "true"}
    heard = host.exchange("GET", f"/{host.uuid}/v1/models", f"Origin: {host.app.url}")
    found = headers_of(heard)
    assert (statuses(heard), found.get_all(ALLOW)) == ([200], [host.app.url])
    assert found["Access-Control-Allow-Credentials"] is None
    assert found["Vary"] == "Origin"


@pytest.mark.parametrize("origin", [EVIL, "null", "*"])
def test_answer_of_a_server_is_for_no_other_origin(host: Host, origin: str) -> None:
    host.server.headers = {ALLOW: "*", "Access-Control-Allow-Credentials": "true"}
    heard = host.exchange("GET", f"/{host.uuid}/v1/models", f"Origin: {origin}")
    assert (statuses(heard), headers_of(heard)[ALLOW]) == ([200], None)
    assert "Origin" not in dict(host.server.requests[0].headers)


def test_refusal_can_be_read_by_a_listed_origin(host: Host) -> None:
    lines = f"Origin: {host.app.url}", "X-Api-Key: a.b.c"
    heard = host.exchange_without_token("POST", f"/{host.uuid}/v1/messages", *lines)
    assert (statuses(heard), headers_of(heard)[ALLOW]) == ([401], host.app.url)


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key"])
def test_page_of_a_listed_origin_calls_a_server_in_a_browser(host: Host, name: str) -> None:
    url = f"{host.origin}/{host.uuid}/v1/chat/completions"
    with chromium.chromium() as browser:
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.goto(host.app.url)
        assert page.evaluate(CALL, [url, host.token, name]) == '200 {"status":"ok"}'
        page.goto(host.app.url.replace("127.0.0.1", "localhost"))
        assert "TypeError" in page.evaluate(CALL, [url, host.token, name])
    (request,) = host.server.requests
    assert request.method == "POST"
