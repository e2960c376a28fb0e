"""The public host of servers, and how the console connects to it."""

from __future__ import annotations

import dataclasses
from typing import Self
from urllib.parse import urlsplit

from roadstead.authorities import Authorities, gateway_authorities
from roadstead.settings import EnvReader


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServersHost:
    """`url` is `https://host[:port]`, before `/<uuid>`."""

    url: str
    separate: bool
    """Whether the console has a separate host, so that browsers don't call servers."""
    address: str
    """host:port to connect to; empty means the URL's."""
    authorities: Authorities
    """The authorities of its certificate."""

    @classmethod
    def read(cls, env: EnvReader, *, console_url: str) -> Self:
        """Read the environment; `console_url` is empty on a shared host."""
        url = env.url("ROADSTEAD_GATEWAY_URL")
        if console_url and urlsplit(console_url).hostname == urlsplit(url).hostname:
            message = "has the host of ROADSTEAD_GATEWAY_URL: set another host, or leave it unset"
            env.fault("ROADSTEAD_CONSOLE_URL", message)
        return cls(
            url=url,
            separate=bool(console_url),
            address=env.text("ROADSTEAD_GATEWAY_ADDRESS", ""),
            authorities=gateway_authorities(env),
        )

    @property
    def authority(self) -> str:
        """host[:port] as in the header Host."""
        return urlsplit(self.url).netloc

    @property
    def hostname(self) -> str:
        """The host in the certificate."""
        return urlsplit(self.url).hostname or ""

    def address_of(self, server_uuid: str, path: str) -> str:
        """Return the URL of a path of a server, at the address to connect to."""
        return f"https://{self.address or self.authority}/{server_uuid}{path}"
