"""Which addresses are reached without a proxy, in the format of NO_PROXY (pure).

Python's own matcher knows neither networks nor IPv6. This one follows Go's, which Kubernetes uses,
and also accepts an IPv6 address in brackets without a port.
Source: golang.org/x/net/http/httpproxy, `Config.NoProxy`.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable
from typing import Final, Self

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST_AND_PORT: Final = re.compile(
    r"\[(?P<v6>[^\[\]]+)\](?::(?P<v6port>[0-9]{1,5}))?|(?P<host>[^:\[\]]+):(?P<port>[0-9]{1,5})"
)
_DOMAIN: Final = re.compile(r"(\*?\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")
ENTRY_FORM: Final = (
    "write a domain such as example.com (with its subdomains) or .example.com (subdomains alone), "
    "an address, a network such as 10.96.0.0/12, each but the last with an optional :port, or *"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Domain:
    suffix: str
    """Begins with a dot."""
    subdomains_only: bool
    port: int | None

    def matches(self, host: str, port: int, address: Address | None) -> bool:
        found = host.endswith(self.suffix) or (not self.subdomains_only and host == self.suffix[1:])
        return found and self.port in (None, port)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Network:
    network: Network
    port: int | None

    def matches(self, host: str, port: int, address: Address | None) -> bool:
        return address is not None and address in self.network and self.port in (None, port)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Everything:
    def matches(self, host: str, port: int, address: Address | None) -> bool:
        return True


_Entry = _Domain | _Network | _Everything


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoProxy:
    """Addresses that are reached directly; loopback and `localhost` always are."""

    entries: tuple[_Entry, ...] = ()

    @classmethod
    def parse(cls, items: Iterable[str]) -> Self:
        """Parse entries; as in Go, an entry that is malformed matches nothing."""
        return cls(entries=tuple(filter(None, map(_parse_entry, items))))

    def matches(self, host: str, port: int) -> bool:
        """Whether a host (a name, or an address without brackets) is reached directly."""
        name = host.lower().rstrip(".")
        address = _address(name)
        if name == "localhost" or (address is not None and address.is_loopback):
            return True
        return any(entry.matches(name, port, address) for entry in self.entries)


NOTHING_EXCLUDED: Final = NoProxy()


def is_entry(text: str) -> bool:
    """Whether an entry is well-formed."""
    found = _parse_entry(text)
    if not isinstance(found, _Domain):
        return found is not None
    return _DOMAIN.fullmatch(found.suffix) is not None and not found.suffix.endswith(".")


def _parse_entry(text: str) -> _Entry | None:
    text = text.strip().lower()
    if text == "*":
        return _Everything()
    if (network := _network(text)) is not None:
        return _Network(network=network, port=None)
    host, port = _split(text)
    if (address := _address(host)) is not None:
        return _Network(network=ipaddress.ip_network(address), port=port)
    host = host.removeprefix("*") if host.startswith("*.") else host
    if not host.strip("."):
        return None
    only = host.startswith(".")
    return _Domain(suffix=host if only else f".{host}", subdomains_only=only, port=port)


def _split(text: str) -> tuple[str, int | None]:
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None:
        return text, None
    port = match["port"] or match["v6port"]
    return match["host"] or match["v6"], int(port) if port else None


def _network(text: str) -> Network | None:
    if "/" not in text:
        return None
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    # Like Go, compare IPv4-mapped addresses as IPv4.
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is not None and found.prefixlen >= 96:
        return ipaddress.ip_network((mapped, found.prefixlen - 96))
    return found


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return found if mapped is None else mapped
