"""Connections to URLs that users configure.

A presigned URL is sent byte for byte, since its signature covers the bytes.
The address policy checks every address that a name resolves to, and the connection is made to
exactly the checked address, so a name that changes in between gains nothing. Through a proxy, which
resolves names itself, it checks the host, and the address if the URL has one.
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

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import Retry, SourceError, SourceInterrupted
from roadstead.listeners import url_host
from roadstead.proxies import Proxy
from roadstead.source.allowlist import DEFAULT_PORTS, parse_address
from roadstead.source.tunnel import connect_first, open_tunnel

READ_SECONDS = 60.0
"""Limit for a read: no byte, an incomplete head, or less than a chunk in this time is an error."""
RECEIVE_BUFFER_BYTES = 4 * 2**20


class AddressPolicy(Protocol):
    """Decides which addresses a URL may be read from; implemented by `AllowList`."""

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Whether scheme, host and port are allowed at all."""

    def allows_address(self, scheme: str, host: str, port: int, address: str) -> bool:
        """Whether they are allowed at this address."""


class Anywhere:
    """The address policy for URLs that the operator configures, such as the store's."""

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Return True."""
        return True

    def allows_address(self, scheme: str, host: str, port: int, address: str) -> bool:
        """Return True."""
        return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Egress:
    """Where connections may lead, whose certificates they trust, and their proxy, if any."""

    policy: AddressPolicy
    authorities: Authorities = SYSTEM_AUTHORITIES
    proxy: Proxy | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """A parsed URL; `resource` is path and query, verbatim, and may be secret."""

    scheme: str
    host: str
    port: int
    resource: str = dataclasses.field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Target:
        """Parse a URL; raises SourceError, which never quotes it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _invalid_url("it is malformed") from None
        if not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
            raise _invalid_url("it has characters that are not allowed in a URL")
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise _invalid_url("expected http:// or https:// and a host")
        if "@" in parts.netloc:
            raise _invalid_url("it has a user name")
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
        host = url_host(self.host)
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """Return the URL without its query, for messages and logs."""
        return f"{self.scheme}://{self.authority}{self.resource.partition('?')[0]}"


class DialledConnection(http.client.HTTPConnection):
    """An HTTP(S) connection to an address that the address policy allows."""

    def __init__(
        self, target: Target, egress: Egress, *, read_seconds: float = READ_SECONDS
    ) -> None:
        super().__init__(target.host, target.port, timeout=read_seconds, blocksize=2**20)
        self._target = target
        self._egress = egress
        self.interrupted = False
        """Whether `interrupt` was called. What a read then raises depends on what still arrives."""

    def connect(self) -> None:
        """Resolve, check the addresses, connect; raises SourceError or OSError."""
        sock = _open(self._target, self._egress)
        sock.settimeout(self.timeout)
        if self._target.scheme == "https":
            context = self._egress.authorities.context()
            sock = context.wrap_socket(sock, server_hostname=self._target.host)
        self.sock = sock

    def interrupt(self) -> None:
        """Interrupt a read of another thread."""
        self.interrupted = True
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def interrupt_after(self, seconds: float) -> Iterator[None]:
        """Interrupt the block if it takes longer, even if bytes arrive now and then."""
        timer = threading.Timer(seconds, self.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def connect(
    target: Target, egress: Egress, *, read_seconds: float = READ_SECONDS
) -> DialledConnection:
    """Return an established connection; raises SourceError."""
    connection = DialledConnection(target, egress, read_seconds=read_seconds)
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise connection_error(target, error) from None
    return connection


def connection_error(target: Target, error: Exception) -> SourceError:
    """Return the error for a connection that failed or broke."""
    if isinstance(error, ssl.SSLCertVerificationError):
        message = (
            f"{target}: its certificate is not trusted ({error.verify_message}); add its authority "
            "to the chart's value trust, and check that the certificate names the host"
        )
        return SourceError("SourceUntrusted", message)
    why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return SourceInterrupted("SourceUnreachable", f"{target}: can't be reached ({why})")


def _open(target: Target, egress: Egress) -> socket.socket:
    """Connect to the target, by the proxy if it applies; raises SourceError or OSError."""
    if not egress.policy.covers(target.scheme, target.host, target.port):
        raise SourceError(
            "SourceNotAllowed",
            f"{target.scheme}://{target.authority} is not on the operator's list of sources "
            "(ROADSTEAD_SOURCE_ALLOW)",
            retry=Retry.ON_CHANGE,
        )
    proxy = egress.proxy
    if proxy is None or not proxy.applies(target.host, target.port):
        return _dial(target, egress.policy)
    if parse_address(target.host) is not None:
        _check_address(target, egress.policy, target.host)
    return open_tunnel(proxy, target.host, target.port, receive_buffer=RECEIVE_BUFFER_BYTES)


def _check_address(target: Target, policy: AddressPolicy, address: str) -> None:
    if not policy.allows_address(target.scheme, target.host, target.port, address):
        raise SourceError(
            "SourceNotAllowed",
            f"{target.scheme}://{target.authority} resolves to an address that is never read from, "
            "or to this machine",
            retry=Retry.ON_CHANGE,
        )


def _dial(target: Target, policy: AddressPolicy) -> socket.socket:
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    for *_, address in found:
        _check_address(target, policy, str(address[0]))
    return connect_first(found, receive_buffer=RECEIVE_BUFFER_BYTES)


def _invalid_url(why: str) -> SourceError:
    return SourceError(
        "SourceURLInvalid", f"the source's URL is invalid: {why}", retry=Retry.ON_CHANGE
    )
