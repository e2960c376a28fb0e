"""Bytes over TLS: requests that no HTTP library would send."""

import contextlib
import re
import socket
import ssl
from dataclasses import dataclass

from tests.e2e.gateway.site import Gateway

SILENCE_SECONDS = 5.0
TIMEOUT_SECONDS = 60.0
"""For a connection, and for an answer that is sure to come."""
LLAMA = b"\r\nserver: llama.cpp\r\n"
"""A header of each of llama.cpp's answers, so one that has it came from a server."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """All that came back on a connection until the other side closed it or fell silent."""

    data: bytes

    @property
    def statuses(self) -> list[int]:
        """Of every response on it, in order."""
        return [int(code) for code in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", self.data, re.M)]

    @property
    def from_a_server(self) -> bool:
        """Whether llama.cpp had a part in it."""
        return LLAMA in self.data.lower()


def exchange(gateway: Gateway, request: bytes, *, silence: float = SILENCE_SECONDS) -> Heard:
    """Send bytes on a connection of their own and listen, until `silence` seconds bring nothing."""
    with (
        socket.create_connection((gateway.host, gateway.port), TIMEOUT_SECONDS) as plain,
        gateway.tls().wrap_socket(plain, server_hostname=gateway.host) as stream,
    ):
        stream.settimeout(silence)
        heard = b""
        # The other side may close before all is sent: what it said until then counts.
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLEOFError):
            stream.sendall(request)
            while data := stream.recv(65536):
                heard += data
        return Heard(data=heard)
