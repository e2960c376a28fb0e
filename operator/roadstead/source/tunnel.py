"""Tunnels through an HTTP proxy (RFC 9110, 9.3.6: CONNECT).

The proxy resolves the name, so the addresses behind it can't be checked here.
"""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections.abc import Sequence
from typing import Any, Final

from roadstead.errors import InvalidSettings, Retry, SourceError, SourceInterrupted
from roadstead.listeners import url_host
from roadstead.proxies import Proxy

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
"""As getaddrinfo returns it."""
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
"""In this time the proxy resolves the name and connects."""
MAX_HEAD_BYTES: Final = 64 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


def open_tunnel(proxy: Proxy, host: str, port: int, *, receive_buffer: int) -> socket.socket:
    """Return a connection to `host` through the proxy; raises SourceError.

    The messages name the proxy and the host, never the credentials.
    """
    authority = f"{url_host(host)}:{port}"
    head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
    try:
        head += "".join(f"{name}: {value}\r\n" for name, value in proxy.headers().items())
    except InvalidSettings as error:
        raise SourceError("SourceProxyDenied", str(error), retry=Retry.BACKOFF) from None
    sock = _connect(proxy, receive_buffer)
    try:
        sock.sendall(f"{head}\r\n".encode("latin-1"))
        _check_status(_read_status(sock), proxy, authority)
    except OSError as error:
        sock.close()
        raise _unreachable(proxy, error) from None
    except BaseException:
        sock.close()
        raise
    return sock


def connect_first(found: Sequence[AddressInfo], *, receive_buffer: int) -> socket.socket:
    """Connect to the first of these addresses that accepts; raises OSError."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            # Set before connecting: it determines the window that is offered to the peer.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.settimeout(CONNECT_SECONDS)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise failure or OSError("the name does not resolve")


def _connect(proxy: Proxy, receive_buffer: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
        return connect_first(found, receive_buffer=receive_buffer)
    except OSError as error:
        raise _unreachable(proxy, error) from None


def _read_status(sock: socket.socket) -> int:
    """Read the head of the response and nothing behind it; raises OSError."""
    deadline = time.monotonic() + ANSWER_SECONDS
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(left)
        # Peek first: what follows the head belongs to the tunnel.
        seen = sock.recv(4096, socket.MSG_PEEK)
        end = (head + seen).find(b"\r\n\r\n")
        size = len(seen) if end < 0 else end + 4 - len(head)
        head += sock.recv(size)
        if not seen or len(head) > MAX_HEAD_BYTES:
            raise ConnectionError("no HTTP response")
    match = _STATUS.match(head)
    if match is None:
        raise ConnectionError("no HTTP response")
    return int(match[1])


def _check_status(status: int, proxy: Proxy, authority: str) -> None:
    if 200 <= status < 300:
        return
    where = f"the proxy {proxy.authority}"
    if status == http.client.PROXY_AUTHENTICATION_REQUIRED:
        advice = "check the username and the password in its Secret"
        raise SourceError(
            "SourceProxyDenied", f"{where} refused the credentials ({status}); {advice}"
        )
    if status < 500:
        advice = "allow CONNECT to it at the proxy, or exclude it from the proxy"
        raise SourceError(
            "SourceProxyDenied", f"{where} refused to connect to {authority} ({status}); {advice}"
        )
    message = f"{where} can't connect to {authority} ({status})"
    raise SourceInterrupted("SourceUnreachable", message)


def _unreachable(proxy: Proxy, error: OSError) -> SourceInterrupted:
    why = error.strerror or str(error) or type(error).__name__
    message = f"the proxy {proxy.authority} can't be reached ({why})"
    return SourceInterrupted("SourceUnreachable", message)
