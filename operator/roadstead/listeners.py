"""Sockets of servers that listen on all addresses, IPv6 and IPv4."""

from __future__ import annotations

import socket
from typing import Final

ALL_ADDRESSES: Final = "::"
"""All addresses of both families; where there is no IPv6, all of IPv4."""
_ALL_IPV4: Final = "0.0.0.0"  # noqa: S104 - the address of a pod is not known before it starts
_BACKLOG: Final = 128


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises OSError.

    asyncio and aiohttp restrict a socket for `::` to IPv6, so servers get theirs from here.
    """
    if host == ALL_ADDRESSES:
        if socket.has_dualstack_ipv6():
            return socket.create_server(
                (host, port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
            )
        host = _ALL_IPV4
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def url_host(host: str) -> str:
    """Return a host as a URL has it: an IPv6 address is in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host
