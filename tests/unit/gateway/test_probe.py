"""Interpretation of the gateway's responses."""

from __future__ import annotations

import pytest

from roadstead.gateway.probe import MAX_BODY, interpret_response

URL = "https://models.example.com/1"
OK = b'{"status":"ok"}'
LOADING = b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'


@pytest.mark.parametrize(
    ("status", "body", "by", "reason"),
    [
        pytest.param(301, b"", "", "NotRouted", id="a redirect"),
        pytest.param(200, b"<html>welcome</html>", "", "NotRouted", id="another site"),
        pytest.param(200, b'["ok"]', "", "NotRouted", id="other JSON"),
        pytest.param(200, b"[" * MAX_BODY, "", "NotRouted", id="JSON that is nested too deep"),
        pytest.param(404, b"404 page not found", "", "NotRouted", id="no route"),
        pytest.param(429, b"slow down", "", "NotRouted", id="limited before its route"),
        pytest.param(404, b"{}", "roadstead", "AuthUnavailable", id="unknown to forward auth"),
        pytest.param(401, b"{}", "roadstead", "ProbeRefused", id="another key"),
        pytest.param(403, b"{}", "roadstead", "ProbeRefused", id="refused"),
        pytest.param(500, b"", "", "AuthUnavailable", id="forward auth is down"),
        pytest.param(503, b"{}", "roadstead", "AuthUnavailable", id="forward auth is stale"),
        pytest.param(503, LOADING, "llama.cpp", "ServerNotReady", id="llama is loading its model"),
        pytest.param(502, b"Bad Gateway", "", "ServerNotReady", id="no connection"),
        pytest.param(503, b"no available server", "", "ServerNotReady", id="no endpoint"),
    ],
)
def test_other_responses_have_distinct_reasons(
    status: int, body: bytes, by: str, reason: str
) -> None:
    found = interpret_response(status, body, by=by, url=URL)
    assert (found.answered, found.reason) == (False, reason)


def test_healthy_response_of_llama_is_answered() -> None:
    found = interpret_response(200, OK, by="llama.cpp", url=URL)
    assert (found.answered, found.reason) == (True, "Answered")


def test_server_at_its_limit_of_requests_counts_as_answered() -> None:
    body = b"max connections reached: 64"
    assert interpret_response(429, body, by="", url=URL).answered
