"""Where servers are reached from outside, and how the console does where that is another host."""

from __future__ import annotations

import dataclasses
import ssl
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServersHost:
    """`url` is `https://host[:port]`, before `/<uuid>`."""

    url: str
    apart: bool
    """Whether the console has a host of its own, from which no browser calls servers."""
    address: str
    """host:port to connect to; empty means that of the URL."""
    ca_file: Path | None
    """What vouches for its certificate; None means the system's authorities."""

    @classmethod
    def read(cls, env: EnvReader, *, console_url: str) -> Self:
        """What is wrong is remembered by `env`; `console_url` is empty on a shared host."""
        url = env.url("ROADSTEAD_GATEWAY_URL")
        if console_url and urlsplit(console_url).hostname == urlsplit(url).hostname:
            message = "has the host of ROADSTEAD_GATEWAY_URL; name another host, or leave it empty"
            env.fault("ROADSTEAD_CONSOLE_URL", message)
        ca_file = env.text("ROADSTEAD_GATEWAY_CA_FILE", "")
        return cls(
            url=url,
            apart=bool(console_url),
            address=env.text("ROADSTEAD_GATEWAY_ADDRESS", ""),
            ca_file=Path(ca_file) if ca_file else None,
        )

    @property
    def authority(self) -> str:
        """host[:port] as callers write it."""
        return urlsplit(self.url).netloc

    @property
    def hostname(self) -> str:
        """As in the certificate."""
        return urlsplit(self.url).hostname or ""

    def address_of(self, server_uuid: str, path: str) -> str:
        """The URL to connect to for a path of a server."""
        return f"https://{self.address or self.authority}/{server_uuid}{path}"

    def tls(self) -> ssl.SSLContext:
        """Raises InvalidSettings if the authority can't be read."""
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            message = f"ROADSTEAD_GATEWAY_CA_FILE: {self.ca_file}: {error}"
            raise InvalidSettings(message) from None
