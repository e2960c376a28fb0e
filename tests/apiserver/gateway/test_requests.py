"""What of a request reaches a server through Traefik and forward auth, however it is spelled."""

from __future__ import annotations

import contextlib
import json
import re

import pytest

from roadstead.forwardauth.paths import is_served
from roadstead.gateway.probe import interpret_response
from roadstead.manifests.gateway import Routing
from roadstead.manifests.gateway_headers import REQUEST_HEADERS
from tests.apiserver.gateway.conftest import Host
from tests.support.waiting import wait_until

DOORS = ("slots", "props", "lora-adapters", "v1/stream", "tools", "cors-proxy", "metrics")
SPELLINGS = (
    *("/{door}", "//{door}", "/./{door}", "/v1/../{door}", "/v1/models/../../{door}", "/{door}/"),
    *("/v1/models/..%2f..%2f{door}", "/%2e%2e/{door}", "/v1%2f..%2f{door}", "/v1/%2e%2e/{door}"),
    *("/;/{door}", "/v1;x=1/../{door}", "/{door};x=1", "/{door}%3bx", "/..;/{door}", "/{door}%00"),
    *("/{door}%20", "/{door}.", "/\\{door}", "/v1/..\\{door}", "/%5c{door}", "/{door}%2f"),
    *("/%{first:02x}{rest}", "/%25{first:02x}{rest}", "/{upper}", "/{door}?/v1/models"),
    *(
        "/{door}#/v1/models",
        "/v1/models#/../{door}",
        "/v1/models?/../{door}",
        "/v1/models%3f/{door}",
    ),
    *("/health/../{door}", "/{door}/../{door}", "/v1/models/%c0%ae%c0%ae/{door}", "/{door}\t"),
)
HOSTILE = (
    *("X-Conversation-Id", "x-conversation-id", "X_Conversation_Id", "X.Conversation.Id"),
    *("X-Conversation-ID", "X-Conversation-Id-", "X-Api-Key", "Proxy-Authorization", "Cookie"),
    *("Origin", "Referer", "Sec-Fetch-Site", "Upgrade", "Expect", "Range", "If-None-Match"),
    *("X-Forwarded-User", "X-Original-Url", "X-Http-Method-Override", "Forwarded", "X-Mcp-Url"),
    *("X-Auth_Subject", "X.Auth-Subject", "Accept_", "Content.Type", "TE", "Keep-Alive"),
)
ADDED = {"host", "x-forwarded-prefix", "cache-control", "date", "server"}
"""Whatever the caller sends: what Traefik adds, and headers of forward auth's answer."""
LONG_SECONDS = 10.0
"""Longer than it takes to fill a server's limit; its requests end with their connections."""


def statuses(heard: bytes) -> list[int]:
    """Of all responses in what was heard."""
    return [int(code) for code in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", heard, re.M)]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_spelling_of_a_path_reaches_what_is_not_on_the_list(
    host: Host, spelling: str, method: str
) -> None:
    for door in DOORS:
        words = {"door": door, "first": ord(door[0]), "rest": door[1:], "upper": door.upper()}
        host.exchange(method, f"/{host.uuid}{spelling.format(**words)}")
    reached = [(each.method, each.path) for each in host.server.requests]
    assert all(is_served("Chat", *each) for each in reached), reached


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("https://localhost/{uuid}/{door}", id="absolute form"),
        pytest.param("https://localhost/{uuid}/v1/models/../../{door}", id="absolute with dots"),
        pytest.param("http://other.example.com/{uuid}/{door}", id="absolute of another host"),
        pytest.param("//localhost/{uuid}/{door}", id="without a scheme"),
        pytest.param("/{upper}/{door}", id="upper case UUID"),
        pytest.param("/%{first:02x}{rest}/{door}", id="encoded UUID"),
        pytest.param("/x/../{uuid}/{door}", id="dots before the UUID"),
    ],
)
def test_no_form_of_a_target_reaches_what_is_not_on_the_list(host: Host, target: str) -> None:
    uuid = host.uuid
    words = {"uuid": uuid, "upper": uuid.upper(), "first": ord(uuid[0]), "rest": uuid[1:]}
    for door in DOORS:
        host.exchange("GET", target.format(door=door, **words))
    reached = [(each.method, each.path) for each in host.server.requests]
    assert all(is_served("Chat", *each) for each in reached), reached


@pytest.mark.parametrize(
    "listed",
    [
        *("Authorization", "X-Auth-Subject, X-Auth-Groups", "X-Forwarded-Uri, X-Forwarded-Method"),
        *("Sec-Fetch-Site, Origin, Cookie", "X-Api-Key, Connection, Host, Content-Length"),
    ],
)
def test_listing_headers_as_those_of_the_connection_changes_no_identity(
    host: Host, listed: str
) -> None:
    """What a request lists in Connection, a proxy removes (RFC 9110, 7.6.1)."""
    line = f"GET /{host.uuid}/v1/models HTTP/1.1"
    own = (f"Authorization: Bearer {host.token}", "X-Auth-Subject: hostile-value")
    host.exchange_text(line, *own, f"Connection: {listed}")
    for request in host.server.requests:
        headers = {name.lower(): value for name, value in request.headers}
        assert host.token not in str(headers)
        assert "hostile-value" not in str(headers)
        assert headers["authorization"].startswith("Bearer ")
        assert headers["x-auth-subject"]


def test_path_that_is_not_on_the_list_is_not_found_as_the_api_says_it(host: Host) -> None:
    heard = host.exchange("POST", f"/{host.uuid}/lora-adapters", body="[]")
    assert statuses(heard) == [404]
    error = json.loads(heard.partition(b"\r\n\r\n")[2])["error"]
    assert (error["type"], error["code"]) == ("not_found_error", "PathNotServed")
    assert host.server.requests == []


def test_path_on_the_list_reaches_the_server_with_body_and_query(host: Host) -> None:
    heard = host.exchange("POST", f"/{host.uuid}/v1/chat/completions?a=b", body='{"a": 1}')
    assert statuses(heard) == [200]
    (request,) = host.server.requests
    assert (request.target, request.body) == ("/v1/chat/completions?a=b", b'{"a": 1}')


@pytest.mark.parametrize("name", HOSTILE)
def test_header_that_is_not_on_the_list_does_not_reach_the_server(host: Host, name: str) -> None:
    host.exchange("GET", f"/{host.uuid}/v1/models", f"{name}: hostile-value")
    passed = {each.lower() for each in REQUEST_HEADERS} | ADDED
    for request in host.server.requests:
        assert {each.lower() for each, _ in request.headers} <= passed
        assert "hostile-value" not in str(request.headers)


@pytest.mark.parametrize("name", ["X_Auth_Subject", "X.Auth.Subject", "X-Auth~Subject"])
def test_header_that_servers_may_read_as_another_is_refused(host: Host, name: str) -> None:
    heard = host.exchange("GET", f"/{host.uuid}/v1/models", f"{name}: hostile-value")
    assert statuses(heard) == [400]
    assert host.server.requests == []


@pytest.mark.parametrize("also", ["X-Api-Key: {}", "X-Api-Key: {}\r\nAuthorization: Bearer {}"])
def test_token_in_x_api_key_passes_and_stays_at_the_gateway(host: Host, also: str) -> None:
    shown = (also.replace("{}", host.token), "anthropic-version: 2023-06-01")
    heard = host.exchange_without_token("POST", f"/{host.uuid}/v1/messages", *shown, body="{}")
    assert statuses(heard) == [200]
    (request,) = host.server.requests
    assert host.token not in str(request.headers)
    names = [name.lower() for name, _ in request.headers]
    assert names.count("authorization") == 1
    assert "x-api-key" not in names


def test_x_api_key_that_differs_from_authorization_is_refused(host: Host) -> None:
    heard = host.exchange("POST", f"/{host.uuid}/v1/messages", "X-Api-Key: sk-other", body="{}")
    assert statuses(heard) == [400]
    assert host.server.requests == []


def test_headers_on_the_list_reach_the_server(host: Host) -> None:
    sent = {"Content-Type": "application/json", "Accept": "text/event-stream", "X-Request-Id": "r"}
    host.exchange("POST", f"/{host.uuid}/v1/completions", *(f"{k}: {v}" for k, v in sent.items()))
    (request,) = host.server.requests
    assert sent.items() <= dict(request.headers).items()


def test_probe_of_a_server_at_its_limit_of_requests_is_answered(host: Host) -> None:
    """The limit's own response, which differs from that of a limit in front of Traefik."""
    with contextlib.ExitStack() as stack:
        host.server.pause_seconds = LONG_SECONDS
        for _ in range(Routing.max_in_flight):
            stream = stack.enter_context(host.connected())
            text = f"GET /{host.uuid}/v1/models HTTP/1.1\r\nHost: localhost\r\n"
            stream.sendall(f"{text}Authorization: Bearer {host.token}\r\n\r\n".encode())
        wait_until(lambda: len(host.server.requests) == Routing.max_in_flight)
        head, _, body = host.exchange("GET", f"/{host.uuid}/health").partition(b"\r\n\r\n")
        host.server.pause_seconds = 0.0
    assert statuses(head) == [429]
    assert interpret_response(429, body, by="", url="").answered
