"""Bytes over TLS: requests that HTTP libraries can't send."""

import contextlib
import re
import socket
import ssl
from dataclasses import dataclass

from tests.e2e.gateway.site import Gateway

SILENCE_SECONDS = 5.0
TIMEOUT_SECONDS = 60.0
"""For a connection, and for an answer that is certain."""
LLAMA = b"\r\nserver: llama.cpp\r\n"
"""A header in all of llama.cpp's answers: an answer with it came from a server."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """The received bytes until the other side closed the connection or was silent."""

    data: bytes

    @property
    def statuses(self) -> list[int]:
        """Statuses of all responses, in order."""
        return [int(code) for code in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", self.data, re.M)]

    @property
    def from_a_server(self) -> bool:
        """Whether llama.cpp sent any of it."""
        return LLAMA in self.data.lower()


def exchange(gateway: Gateway, request: bytes, *, silence: float = SILENCE_SECONDS) -> Heard:
    """Send bytes on a new connection and read until nothing arrives for `silence` seconds."""
    with (
        socket.create_connection((gateway.host, gateway.port), TIMEOUT_SECONDS) as plain,
        gateway.tls().wrap_socket(plain, server_hostname=gateway.host) as stream,
    ):
        stream.settimeout(silence)
        heard = b""
        # The other side may close before all is sent: its answer until then counts.
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLEOFError):
            stream.sendall(request)
            while data := stream.recv(65536):
                heard += data
        return Heard(data=heard)
