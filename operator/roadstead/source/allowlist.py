"""Which hosts may be read from: the operator's allow-list, and addresses that are never allowed.

An entry is `[scheme://]host[:port]`. The host is a name, `*.` and a domain, an address or a
network (`10.1.0.0/16`, `[fd00::/8]:9000`; for URLs that contain an address). Without a scheme,
http and https are allowed; without a port, the scheme's default.

An entry allows its host at any private or public address. It never allows link-local addresses
and the others below, where clouds have their metadata services, nor addresses that embed another
one. Loopback is allowed only by an entry that is a loopback address or `localhost` itself.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ENTRY: Final = re.compile(
    r"(?:(?P<scheme>https?)://)?"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?)\]|(?P<host>[0-9.]+/[0-9]{1,2}|[^\[\]:/@?#\s]+))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)
_NAME: Final = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}\.?")
_NEVER: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "169.254.0.0/16",  # link-local, metadata services
        "100.100.100.200/32",  # Alibaba's metadata service
        "192.0.0.192/32",  # Oracle's
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "fd00:ec2::/32",  # Amazon's metadata service
        "2002::/16",  # 6to4, which embeds an IPv4 address
        "2001::/32",  # Teredo, which embeds one too
    )
)
_IPV6: Final = (ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("fc00::/7"))
"""Global and unique local addresses: no others are allowed.

Not included are unspecified, link-local and multicast addresses, and every fixed prefix that
embeds an IPv4 address: IPv4-compatible (::/96), translated by SIIT (::ffff:0:0:0/96), NAT64
(64:ff9b::/96, 64:ff9b:1::/48).
"""


class InvalidEntry(ValueError):
    """An entry of the allow-list is invalid; the message has the expected form."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AllowedSource:
    """One entry; exactly one of `name` (lower case, may begin with `*.`) and `network` is set."""

    scheme: str | None
    name: str | None
    network: Network | None
    port: int | None

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Whether the entry covers this scheme, host and port."""
        if self.scheme not in (None, scheme):
            return False
        if port != (DEFAULT_PORTS[scheme] if self.port is None else self.port):
            return False
        return self._covers_host(host.lower().rstrip("."))

    def _covers_host(self, host: str) -> bool:
        if self.network is not None:
            address = parse_address(host)
            return address is not None and address in self.network
        if self.name is not None and self.name.startswith("*."):
            return host.endswith(self.name[1:])
        return host == self.name

    @property
    def allows_loopback(self) -> bool:
        """Whether the entry itself is a loopback address or `localhost`."""
        if self.network is not None:
            return self.network.is_loopback
        return self.name == "localhost"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AllowList:
    """The operator's allow-list."""

    entries: tuple[AllowedSource, ...]

    @classmethod
    def parse(cls, entries: Iterable[str]) -> AllowList:
        """Parse the entries; raises InvalidEntry."""
        return cls(entries=tuple(_entry(entry) for entry in entries))

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Whether some entry covers scheme, host and port."""
        return any(entry.covers(scheme, host, port) for entry in self.entries)

    def allows_address(self, scheme: str, host: str, port: int, address: str) -> bool:
        """Whether a URL with this scheme, host and port may be read from `address`."""
        found = parse_address(address)
        covering = [entry for entry in self.entries if entry.covers(scheme, host, port)]
        if found is None or not covering:
            return False
        if found.is_loopback:
            return any(entry.allows_loopback for entry in covering)
        if found.version == 6 and not any(found in network for network in _IPV6):
            return False
        return not any(found in network for network in _NEVER)


def parse_address(text: str) -> Address | None:
    """Return the address, IPv4 if it is an IPv4-mapped one, or None for other text."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _entry(text: str) -> AllowedSource:
    match = _ENTRY.fullmatch(text)
    if match is None:
        raise _invalid(text)
    host = match["v6"] or match["host"].lower()
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise _invalid(text)
    found = _network(host)
    if found is None and not _NAME.fullmatch(host):
        raise _invalid(text)
    return AllowedSource(
        scheme=match["scheme"],
        name=None if found is not None else host.rstrip("."),
        network=found,
        port=port,
    )


def _network(host: str) -> Network | None:
    try:
        return ipaddress.ip_network(host)
    except ValueError:
        return None


def _invalid(text: str) -> InvalidEntry:
    return InvalidEntry(
        f"invalid entry {text!r}: expected host, host:port, *.domain:port, 10.1.0.0/16:9000 or "
        "https://host"
    )
