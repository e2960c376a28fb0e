"""Streamed, cancelled and long answers."""

import base64
import http.client
import itertools
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dev.demo.kubectl import Cluster
from tests.e2e.gateway.connection import Connection, ask
from tests.e2e.gateway.site import Gateway, Served
from tests.e2e.serves import Serves
from tests.support.waiting import wait_until

LONG_TOKENS = 3500
PAST_USUAL_TIMEOUTS_SECONDS = 65
"""Traefik and many proxies limit a request to 60 s by default."""


def completion(tokens: int) -> dict[str, Any]:
    """A streamed request for exactly this number of tokens."""
    return {"prompt": "Ships", "n_predict": tokens, "ignore_eos": True, "stream": True}


def pieces(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """The events of a stream (WHATWG, server-sent events) as they arrive; other content fails."""
    assert response.status == 200, response.read()
    assert response.headers["Content-Type"] == "text/event-stream", describe(response)
    for line in lines(response):
        if line.strip():
            assert line.startswith(b"data: {"), line + response.read()
            yield json.loads(line.removeprefix(b"data: "))


def lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Lines as they arrive; IncompleteRead if the stream is cut, which readline() ignores."""
    incomplete = b""
    while some := response.read1():
        *whole, incomplete = (incomplete + some).split(b"\n")
        yield from whole
    if incomplete:
        yield incomplete


def describe(response: http.client.HTTPResponse) -> str:
    """The complete response, for a message."""
    return f"{response.headers.items()} {response.read()!r}"


@pytest.fixture
def metric(cluster: Cluster, mine: Served) -> Iterator[Callable[[str], float]]:
    """Reads one of the server's own metrics, bypassing the gateway, which does not serve them."""
    tenant = Serves(cluster=cluster, namespace=mine.namespace)
    encoded = tenant.get("secret", f"{mine.name}-key")["data"]["api-key"]
    key = base64.b64decode(encoded).decode().strip()
    with cluster.forwarded(mine.namespace, f"service/{mine.name}", 80) as port:

        def read(name: str) -> float:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {key}"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read().decode()
            found = re.search(rf"^llamacpp:{name} (\S+)$", text, re.MULTILINE)
            assert found, text
            return float(found[1])

        yield read


def test_first_chunk_arrives_while_the_server_generates_the_rest(
    gateway: Gateway, mine: Served, metric: Callable[[str], float]
) -> None:
    with Connection(gateway) as connection:
        path = f"/{mine.uid}/completion"
        stream = pieces(connection.open(path, token=mine.token, body=completion(LONG_TOKENS)))
        next(stream)
        # An earlier, cancelled request may still be counted.
        wait_until(lambda: metric("requests_processing") == 1)
        assert len(list(itertools.islice(stream, 100))) == 100


def test_cancelled_request_frees_its_slot(
    gateway: Gateway, mine: Served, metric: Callable[[str], float]
) -> None:
    before = metric("tokens_predicted_total")
    with Connection(gateway) as connection:
        path = f"/{mine.uid}/completion"
        stream = pieces(connection.open(path, token=mine.token, body=completion(LONG_TOKENS)))
        next(stream)
        assert metric("requests_processing") >= 1
    wait_until(lambda: metric("requests_processing") == 0)
    again = ask(gateway, path, token=mine.token, body={**completion(1), "stream": False})
    assert again.status == 200
    assert metric("tokens_predicted_total") - before < LONG_TOKENS


def test_long_answer_is_not_cut(gateway: Gateway, mine: Served) -> None:
    # A minute: proxies cut longer requests at their default of 60 s.
    started = time.monotonic()
    with Connection(gateway) as connection:
        path, last = f"/{mine.uid}/completion", {}
        stream = pieces(connection.open(path, token=mine.token, body=completion(LONG_TOKENS)))
        for piece in stream:
            last = piece
            if time.monotonic() - started > PAST_USUAL_TIMEOUTS_SECONDS:
                return
    assert last.get("stop"), f"cut after {time.monotonic() - started:.0f} s"
    assert last["tokens_predicted"] == LONG_TOKENS
