"""Fields after a request's body, HTTP/1.1 (RFC 9112, 7.1.2) and HTTP/2, through a real Traefik."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import pytest

from roadstead.manifests.gateway_headers import REQUEST_HEADERS
from tests.apiserver.gateway.conftest import Host
from tests.apiserver.gateway.test_requests import ADDED

NAMES = (
    *("X-Conversation-Id", "Authorization", "X-Api-Key", "Cookie", "X-Auth-Subject"),
    *("X-Auth-Groups", "X-Forwarded-User", "Content-Length", "Transfer-Encoding", "Host"),
)
VALUE = "hostile-value"
PATH = "v1/chat/completions"
PASSED = {name.lower() for name in REQUEST_HEADERS} | ADDED | {"transfer-encoding", "trailer"}
"""Chunks and the announcement of their trailers are those of Traefik's own connection."""


def assert_no_header(host: Host) -> None:
    """Whatever arrived, the server's headers have neither the field nor a lost identity."""
    for request in host.server.requests:
        headers = {name.lower(): value for name, value in request.headers}
        assert VALUE not in str(headers)
        assert headers.keys() <= PASSED
        assert headers["authorization"].startswith("Bearer ")
        assert headers["x-auth-subject"]
        assert host.token not in str(request)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
@pytest.mark.parametrize("name", NAMES)
def test_trailer_of_http_1_is_no_header_of_a_servers_request(
    host: Host, name: str, announced: bool
) -> None:
    heard = host.exchange_text(
        f"POST /{host.uuid}/{PATH} HTTP/1.1",
        f"Authorization: Bearer {host.token}",
        "Transfer-Encoding: chunked",
        *([f"Trailer: {name}"] if announced else []),
        end=f"2\r\n{{}}\r\n0\r\n{name}: {VALUE}\r\n\r\n",
    )
    # Go refuses a body whose trailers frame a message.
    assert heard.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
    assert_no_header(host)


@pytest.mark.parametrize("name", NAMES)
def test_trailer_of_http_2_is_no_header_of_a_servers_request(host: Host, name: str) -> None:
    send_http_2(host, name)
    assert_no_header(host)


def test_request_with_an_ordinary_trailer_passes(host: Host) -> None:
    send_http_2(host, "Checksum")
    (request,) = host.server.requests
    assert request.body == b"{}"


def send_http_2(host: Host, name: str) -> None:
    """Send a body and a trailer, and read until the stream ends."""
    config = h2.config.H2Configuration(
        validate_outbound_headers=False, normalize_outbound_headers=False
    )
    connection = h2.connection.H2Connection(config)
    with host.connected("h2") as stream:
        connection.initiate_connection()
        connection.send_headers(
            1,
            [
                (":method", "POST"),
                (":scheme", "https"),
                (":authority", f"localhost:{host.traefik.port}"),
                (":path", f"/{host.uuid}/{PATH}"),
                ("authorization", f"Bearer {host.token}"),
                ("trailer", name),
            ],
        )
        connection.send_data(1, b"{}")
        connection.send_headers(1, [(name.lower(), VALUE)], end_stream=True)
        stream.sendall(connection.data_to_send())
        while data := stream.recv(65536):
            events = connection.receive_data(data)
            if any(isinstance(each, ENDS) for each in events):
                return
            stream.sendall(connection.data_to_send())


ENDS = (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)
