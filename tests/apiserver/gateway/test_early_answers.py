"""A server whose answer begins as soon as the request is there, as llama.cpp's streams do."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor

from tests.apiserver.gateway.conftest import SILENCE_SECONDS, Host

REQUESTS = 400
"""Without the request read first, about one in seventy is cut."""
CALLERS = 8
LONGER_THAN_HELD = 600 * 1024


def completion(host: Host, size: int) -> bytes:
    """The answer to a request of so many bytes, on a connection that may be kept."""
    tls = host.traefik.tls()
    connection = http.client.HTTPSConnection(
        "127.0.0.1", host.traefik.port, timeout=SILENCE_SECONDS, context=tls
    )
    headers = {"Host": f"localhost:{host.traefik.port}", "Authorization": f"Bearer {host.token}"}
    try:
        connection.request("POST", f"/{host.uuid}/v1/completions", b"x" * size, headers)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_no_answer_is_cut_that_begins_at_once(host: Host) -> None:
    host.server.content_type, host.server.pause_seconds = "text/event-stream", 0.02
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(lambda _: completion(host, 70), range(REQUESTS)))
    assert answers == [host.server.body] * REQUESTS


def test_a_request_longer_than_what_is_held_arrives_whole(host: Host) -> None:
    assert completion(host, LONGER_THAN_HELD) == host.server.body
    assert [len(each.body) for each in host.server.requests] == [LONGER_THAN_HELD]
