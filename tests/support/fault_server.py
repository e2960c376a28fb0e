"""A source that misbehaves in ways that no real server can; it counts the bytes that it sends."""

import contextlib
import gzip
import json
import mmap
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.threaded_server import run_in_thread


class FaultServer:
    """Serves `content` by ranges; its attributes make it misbehave."""

    def __init__(self, content: bytes | mmap.mmap) -> None:
        self.content = content
        self.etag = '"one"'
        self.bytes_sent = 0
        self.requests = 0
        self.slowness = 0.0
        """Seconds of delay before each 256 KiB."""
        self.pause_after: int | None = None
        """Pauses bodies (of more than one byte) once more than this was sent."""
        self.drips = ""
        """`head` or `body`: sends it byte by byte, and never completely."""
        self.drip_seconds = 0.25
        self.compresses = False
        """Sends ranges of the gzip-compressed content, whatever was requested."""
        self.answer_status: int | None = None
        """Answers all requests with this status, and with the body and headers that follow."""
        self.answer_body = b""
        self.answer_headers: dict[str, str] = {}
        self.answers_left: int | None = None
        """Number of answers with that status; all if it is None."""
        self.redirect_to = ""
        self.ignores_ranges = False
        self.cuts_bodies = 0
        """Number of bodies (of more than one byte) that are cut off half way."""
        self.change_after: int | None = None
        """The ETag changes once so many bytes were sent."""
        self.expire_after: int | None = None
        """Answers 403 once so many bytes were sent, unless the query is `fresh`."""
        self.asked = 0
        """Number of requests for a URL, as to a Quant service; from the second on it is `fresh`."""
        self.lock = threading.Lock()
        self.port = 0

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its address in the form of a presigned URL."""
        return f"{self.endpoint}/model.gguf?X-Amz-Signature=secretsignature"

    def has_sent(self, limit: int | None) -> bool:
        """Whether it has sent more bytes than the limit; False without a limit."""
        return limit is not None and self.bytes_sent > limit


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    faults: FaultServer


@contextlib.contextmanager
def running_fault_server(content: bytes | mmap.mmap) -> Iterator[FaultServer]:
    """Run a server in a thread, on a free port."""
    faults = FaultServer(content)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.faults = faults
    faults.port = server.server_port
    with run_in_thread(server):
        try:
            yield faults
        finally:
            faults.pause_after = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _faults(self) -> FaultServer:
        assert isinstance(self.server, _Server)
        return self.server.faults

    def do_GET(self) -> None:
        if self.path.startswith("/download-url/"):
            self._answer_as_quant()
            return
        with self._faults.lock:
            self._faults.requests += 1
            self._change_etag()
            status = self._status()
        expired = (
            self._faults.expire_after is not None
            and self._faults.bytes_sent > self._faults.expire_after
        )
        if expired and "fresh" not in self.path:
            status = 403
        if self._faults.drips == "head":
            self._drip(b"HTTP/1.1 206 Partial Content\r\n" + b"X-Wait: 1\r\n" * 1000)
        elif self._faults.redirect_to:
            self._head(302, 0, Location=self._faults.redirect_to)
        elif status is not None:
            body = self._faults.answer_body
            self._head(status, len(body), **self._faults.answer_headers)
            self.wfile.write(body)
        else:
            self._range()

    def _status(self) -> int | None:
        left = self._faults.answers_left
        if left is None or self._faults.answer_status is None:
            return self._faults.answer_status
        self._faults.answers_left = max(0, left - 1)
        return self._faults.answer_status if left else None

    def _answer_as_quant(self) -> None:
        with self._faults.lock:
            url = self._faults.url + ("&fresh" if self._faults.asked else "")
            self._faults.asked += 1
        body = json.dumps({"url": url, "size": len(self._faults.content)}).encode()
        self._head(200, len(body))
        self.wfile.write(body)

    def _change_etag(self) -> None:
        if (
            self._faults.change_after is not None
            and self._faults.bytes_sent > self._faults.change_after
        ):
            self._faults.etag = '"two"'

    def _range(self) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range", self._faults.etag)
        if self._faults.ignores_ranges or match is None or condition != self._faults.etag:
            self._head(200, len(self._faults.content))
            self._body(self._faults.content)
            return
        start, end = int(match[1]), int(match[2]) + 1
        content, more = self._faults.content, {}
        if self._faults.compresses:
            content, more = gzip.compress(content[:], 1), {"Content-Encoding": "gzip"}
        total = len(content)
        self._head(206, end - start, Content_Range=f"bytes {start}-{end - 1}/{total}", **more)
        self._body(content[start:end])

    def _head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", self._faults.etag)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _drip(self, text: bytes) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            for byte in text:
                self.wfile.write(bytes([byte]))
                time.sleep(self._faults.drip_seconds)

    def _body(self, body: bytes | mmap.mmap) -> None:
        if self._faults.drips == "body" and len(body) > 1:
            self._drip(body[:1000])
            return
        with self._faults.lock:
            if len(body) > 1 and self._faults.cuts_bodies > 0:
                self._faults.cuts_bodies -= 1
                body = body[: len(body) // 2]
                self.close_connection = True
        for at in range(0, len(body), 2**18):
            time.sleep(self._faults.slowness)
            while len(body) > 1 and self._faults.has_sent(self._faults.pause_after):
                time.sleep(0.02)
            chunk = body[at : at + 2**18]
            try:
                self.wfile.write(chunk)
            except OSError:
                self.close_connection = True
                return
            with self._faults.lock:
                self._faults.bytes_sent += len(chunk)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""
