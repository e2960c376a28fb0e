"""The public host of servers, and how the console connects to it."""

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
    separate: bool
    """Whether the console has a separate host, so that browsers don't call servers."""
    address: str
    """host:port to connect to; empty means the URL's."""
    ca_file: Path | None
    """The CA file of its certificate; None means the system's authorities."""

    @classmethod
    def read(cls, env: EnvReader, *, console_url: str) -> Self:
        """Read the environment; `console_url` is empty on a shared host."""
        url = env.url("ROADSTEAD_GATEWAY_URL")
        if console_url and urlsplit(console_url).hostname == urlsplit(url).hostname:
            message = "has the host of ROADSTEAD_GATEWAY_URL: set another host, or leave it unset"
            env.fault("ROADSTEAD_CONSOLE_URL", message)
        ca_file = env.text("ROADSTEAD_GATEWAY_CA_FILE", "")
        return cls(
            url=url,
            separate=bool(console_url),
            address=env.text("ROADSTEAD_GATEWAY_ADDRESS", ""),
            ca_file=Path(ca_file) if ca_file else None,
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

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context; InvalidSettings if the CA file can't be read."""
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            message = f"ROADSTEAD_GATEWAY_CA_FILE: {self.ca_file}: {error}"
            raise InvalidSettings(message) from None
