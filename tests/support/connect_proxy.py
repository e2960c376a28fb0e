"""An HTTP proxy with CONNECT, which resolves every name to a port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import socketserver
import threading
from collections.abc import Iterator

from tests.support.threaded_server import run_in_thread


@dataclasses.dataclass
class ConnectProxy:
    """The proxy of the tests; `upstream` is the port that every name leads to."""

    upstream: int
    port: int = 0
    status: int = 200
    """The status of its responses; other than 200, it connects to nothing."""
    authorization: str = ""
    """The required credentials, as in the header; empty: none."""
    asked: list[str] = dataclasses.field(default_factory=list)
    """host:port of each CONNECT, also of those that were refused."""


@contextlib.contextmanager
def running_connect_proxy(upstream: int) -> Iterator[ConnectProxy]:
    """Run a proxy in a thread, on a free port."""
    proxy = ConnectProxy(upstream=upstream)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.proxy = proxy
    proxy.port = server.server_address[1]
    with run_in_thread(server):
        yield proxy


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    proxy: ConnectProxy


class _Handler(socketserver.StreamRequestHandler):
    rbufsize = 0

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        proxy = self.server.proxy
        first = self.rfile.readline().decode()
        headers = {}
        while (line := self.rfile.readline().decode().strip()) != "":
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        method, authority, _ = first.split(" ")
        proxy.asked.append(f"{'' if method == 'CONNECT' else method + ' '}{authority}")
        status = proxy.status
        if proxy.authorization and headers.get("proxy-authorization") != proxy.authorization:
            status = 407
        if status != 200:
            self.wfile.write(f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", proxy.upstream), timeout=60) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
            back = threading.Thread(target=_copy, args=(upstream, self.request), daemon=True)
            back.start()
            _copy(self.request, upstream)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
