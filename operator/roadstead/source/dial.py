"""Connections to URLs that come from outside.

A presigned URL is sent exactly as it was given, since some signers compute over the very bytes.
Where a guard is given, it is asked about every address a name resolves to, and the connection
goes to exactly the address that was asked about: a name that changes in between gains nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlsplit

from roadstead.errors import Retry, SourceError, SourceInterrupted
from roadstead.source.allowlist import DEFAULT_PORTS

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
"""No byte for so long, or no whole head, or less than a chunk: the connection is given up."""
RECEIVE_BUFFER_BYTES = 4 * 2**20


class AddressPolicy(Protocol):
    """Says which addresses a URL may be read from; `AllowList` is one."""

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Whether scheme, host and port are allowed at all."""

    def opens(self, scheme: str, host: str, port: int, address: str) -> bool:
        """Whether they are at this address."""


class Anywhere:
    """The guard for URLs that are our own, such as the store's."""

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Yes."""
        return True

    def opens(self, scheme: str, host: str, port: int, address: str) -> bool:
        """Yes."""
        return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """Where a URL leads; `resource` is path and query, verbatim, and may be secret."""

    scheme: str
    host: str
    port: int
    resource: str = dataclasses.field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Target:
        """Take a URL apart; raises SourceError that doesn't quote it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _unusable("it can't be read") from None
        if not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
            raise _unusable("it holds characters that no URL has")
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise _unusable("it is not http:// or https:// and a host")
        if "@" in parts.netloc:
            raise _unusable("it holds a user name")
        _, _, rest = url.partition("://")
        resource = rest[len(parts.netloc) :].partition("#")[0]
        return cls(
            scheme=parts.scheme,
            host=parts.hostname,
            port=port or DEFAULT_PORTS[parts.scheme],
            resource=resource if resource.startswith("/") else f"/{resource}",
        )

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """For people and logs: without the query."""
        return f"{self.scheme}://{self.authority}{self.resource.partition('?')[0]}"


class DialledConnection(http.client.HTTPConnection):
    """An HTTP(S) connection whose socket is dialled here, at an address that the guard opens."""

    def __init__(
        self, target: Target, guard: AddressPolicy, *, read_seconds: float = READ_SECONDS
    ) -> None:
        super().__init__(target.host, target.port, timeout=read_seconds, blocksize=2**20)
        self._target = target
        self._guard = guard

    def connect(self) -> None:
        """Resolve, ask the guard, connect; raises SourceError or OSError."""
        sock = _dial(self._target, self._guard)
        sock.settimeout(self.timeout)
        if self._target.scheme == "https":
            context = ssl.create_default_context()
            sock = context.wrap_socket(sock, server_hostname=self._target.host)
        self.sock = sock

    def interrupt(self) -> None:
        """End what another thread waits for here."""
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def ended_after(self, seconds: float) -> Iterator[None]:
        """Interrupt what is done within it once it takes longer: a byte now and then is no help."""
        timer = threading.Timer(seconds, self.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def connect(
    target: Target, guard: AddressPolicy, *, read_seconds: float = READ_SECONDS
) -> DialledConnection:
    """A connection, established; raises SourceError."""
    connection = DialledConnection(target, guard, read_seconds=read_seconds)
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise unreachable(target, error) from None
    return connection


def unreachable(target: Target, error: Exception) -> SourceError:
    """No connection, or one that broke."""
    if isinstance(error, ssl.SSLCertVerificationError):
        message = (
            f"{target}: its certificate is not trusted; give its authority (SSL_CERT_FILE) and see "
            "that the certificate names the host"
        )
        return SourceError("SourceUntrusted", message)
    why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return SourceInterrupted("SourceUnreachable", f"{target}: can't be reached ({why})")


def _dial(target: Target, guard: AddressPolicy) -> socket.socket:
    if not guard.covers(target.scheme, target.host, target.port):
        raise SourceError(
            "SourceNotAllowed",
            f"{target.scheme}://{target.authority} is not on the operator's list of sources "
            "(ROADSTEAD_SOURCE_ALLOW)",
            retry=Retry.ON_CHANGE,
        )
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if not guard.opens(target.scheme, target.host, target.port, str(address[0])):
            raise SourceError(
                "SourceNotAllowed",
                f"{target.scheme}://{target.authority} leads to an address that is never read "
                "from, or to this machine itself",
                retry=Retry.ON_CHANGE,
            )
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            # Before connecting: the window that is offered to the peer follows from it.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            sock.settimeout(CONNECT_SECONDS)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise failure or OSError("the name has no address")


def _unusable(why: str) -> SourceError:
    return SourceError(
        "SourceURLInvalid", f"the source's URL can't be used: {why}", retry=Retry.ON_CHANGE
    )
