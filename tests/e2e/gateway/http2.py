"""HTTP/2 frames with headers that client libraries refuse to send."""

import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import h2.config
import h2.connection
import h2.events

from tests.e2e.gateway.site import Gateway

TIMEOUT_SECONDS = 60.0
Header = tuple[str, str]


class Http2:
    """One connection with many streams."""

    def __init__(self, stream: ssl.SSLSocket) -> None:
        self._stream = stream
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._h2.initiate_connection()
        self._flush()
        self.statuses: dict[int, int] = {}
        """By stream; 0 if it was reset."""
        self.servers: dict[int, str] = {}
        """The header Server of each answer."""
        self.closed = False

    def send(self, headers: Sequence[Header], *, body: bytes = b"", end: bool = True) -> int:
        """Open a stream; returns its number. Without `end`, more of its body may follow."""
        number = self._h2.get_next_available_stream_id()
        self._h2.send_headers(number, headers, end_stream=end and not body)
        if body:
            self._h2.send_data(number, body, end_stream=end)
        self._flush()
        return number

    def until_answered(self, numbers: Iterable[int], *, at_least: int | None = None) -> None:
        """Read until so many streams (by default all) have a status or were reset."""
        wanted = list(numbers)
        enough = len(wanted) if at_least is None else at_least
        while not self.closed and sum(each in self.statuses for each in wanted) < enough:
            data = self._stream.recv(65536)
            if not data:
                self.closed = True
                return
            for event in self._h2.receive_data(data):
                self._note(event)
            self._flush()

    def _note(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                found = {str(name): str(value) for name, value in event.headers or ()}
                self.statuses[event.stream_id or 0] = int(found[":status"])
                self.servers[event.stream_id or 0] = found.get("server", "")
            case h2.events.StreamReset():
                self.statuses.setdefault(event.stream_id or 0, 0)
            case h2.events.ConnectionTerminated():
                self.closed = True
            case h2.events.DataReceived():
                length = event.flow_controlled_length or 0
                self._h2.acknowledge_received_data(length, event.stream_id or 0)

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self._stream.sendall(data)


@contextmanager
def http2(gateway: Gateway) -> Iterator[Http2]:
    """A connection that negotiated HTTP/2."""
    with (
        socket.create_connection((gateway.host, gateway.port), TIMEOUT_SECONDS) as plain,
        gateway.tls("h2").wrap_socket(plain, server_hostname=gateway.host) as stream,
    ):
        assert stream.selected_alpn_protocol() == "h2"
        yield Http2(stream)


def request(gateway: Gateway, path: str, *more: Header, method: str = "GET") -> list[Header]:
    """Pseudo-headers of a plain request, followed by others."""
    return [
        (":method", method),
        (":scheme", "https"),
        (":authority", f"{gateway.host}:{gateway.port}"),
        (":path", path),
        *more,
    ]
