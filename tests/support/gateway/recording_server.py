"""An HTTP server in place of a model server: it records requests and sends a given answer."""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.support.threaded_server import run_in_thread

BODY_LIMIT: Final = 4 * 1024 * 1024
WAIT_SECONDS: Final = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recorded:
    """A request as received."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    trailers: bytes = b""
    """What followed the last chunk of the body, unparsed."""

    @property
    def path(self) -> str:
        """The target without the query."""
        return self.target.partition("?")[0]


@dataclasses.dataclass(kw_only=True)
class RecordingServer:
    """The received requests, and the answer to send."""

    port: int = 0
    status: int = 200
    content_type: str = "application/json"
    body: bytes = b'{"status":"ok"}'
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    pause_seconds: float = 0.0
    """Pause between the headers of an answer and its body."""
    rest: bytes = b""
    """If not empty, sent once `more` is set; the answer then has no length."""
    more: threading.Event = dataclasses.field(default_factory=threading.Event)
    requests: list[Recorded] = dataclasses.field(default_factory=list)

    @property
    def url(self) -> str:
        """The root URL without a slash."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def running_recorder(
    *, tls: ssl.SSLContext | None = None, **answer: object
) -> Iterator[RecordingServer]:
    """Run a server until the block ends; `answer` has fields of RecordingServer."""
    state = RecordingServer(**answer)  # type: ignore[arg-type] # fields by name
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    with run_in_thread(server):
        yield state


def _handler(state: RecordingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body, trailers = self._body()
            state.requests.append(
                Recorded(
                    method=self.command,
                    target=self.path,
                    headers=tuple(self.headers.items()),
                    body=body,
                    trailers=trailers,
                )
            )
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", state.content_type)
            if state.rest:
                self.close_connection = True
                self.send_header("Connection", "close")
            else:
                self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            time.sleep(state.pause_seconds)
            if self.command != "HEAD":
                self.wfile.write(state.body)
                if state.rest and state.more.wait(WAIT_SECONDS):
                    self.wfile.write(state.rest)

        def _body(self) -> tuple[bytes, bytes]:
            """Return the body and its trailers (RFC 9112, 7.1)."""
            if self.headers.get("Transfer-Encoding") != "chunked":
                length = min(int(self.headers.get("Content-Length") or 0), BODY_LIMIT)
                return self.rfile.read(length), b""
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            return body, b"".join(iter(self.rfile.readline, b"\r\n"))

        def log_message(self, format: str, *args: object) -> None:
            pass

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        setattr(Handler, f"do_{method}", Handler._answer)
    return Handler
