"""A proxy for a real S3 server that answers some requests as other kinds of servers do."""

import contextlib
import dataclasses
import http.client
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from dev.servers.objectstore import ObjectStore
from tests.support.threaded_server import run_in_thread

HOP_BY_HOP = ("connection", "transfer-encoding", "content-length")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """A request without its body."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """By lower-case name."""

    @property
    def is_part(self) -> bool:
        """Whether it uploads a part."""
        return self.method == "PUT" and "partNumber" in self.query

    @property
    def is_completion(self) -> bool:
        """Whether it completes an upload."""
        return self.method == "POST" and "uploadId" in self.query


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """An answer of the proxy itself."""

    status: int
    code: str
    message: str = ""

    @property
    def body(self) -> bytes:
        """The body in the format of S3."""
        return f"<Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>".encode()


Rule = Callable[[Asked], Refusal | None]


class S3Proxy:
    """A proxy whose rule can be changed at any time; `asked` has the received requests."""

    def __init__(self, behind: ObjectStore) -> None:
        self.behind = behind
        self.rule: Rule = lambda asked: None
        self.asked: list[Asked] = []
        self.port = 0

    @property
    def store(self) -> ObjectStore:
        """The server as clients see it."""
        return dataclasses.replace(self.behind, endpoint=f"http://127.0.0.1:{self.port}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: S3Proxy


@contextlib.contextmanager
def running_s3_proxy(behind: ObjectStore) -> Iterator[S3Proxy]:
    """Run a proxy in a thread, on a free port."""
    proxy = S3Proxy(behind)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = proxy
    proxy.port = server.server_port
    with run_in_thread(server):
        yield proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        assert isinstance(self.server, _Server)
        proxy = self.server.proxy
        parts = urlsplit(self.path)
        asked = Asked(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        proxy.asked.append(asked)
        refusal = proxy.rule(asked)
        if refusal is None:
            self._forward(urlsplit(proxy.behind.endpoint).netloc)
        else:
            # Servers that refuse a body don't read it and close the connection.
            self.close_connection = True
            headers = {"Content-Type": "application/xml", "Connection": "close"}
            self._answer(refusal.status, headers, refusal.body)

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _forward(self, netloc: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        connection = http.client.HTTPConnection(netloc, timeout=60)
        try:
            # The Host header stays as the client signed it.
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            response = connection.getresponse()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in HOP_BY_HOP
            }
            length = response.getheader("Content-Length") if self.command == "HEAD" else None
            self._answer(response.status, headers, response.read(), length)
        finally:
            connection.close()

    def _answer(
        self, status: int, headers: Mapping[str, str], body: bytes, length: str | None = None
    ) -> None:
        with contextlib.suppress(OSError):
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""
