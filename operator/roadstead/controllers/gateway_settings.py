"""Settings of the gateway for `roadstead operator`."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Final, Self, cast
from urllib.parse import urlsplit

from roadstead.authorities import Authorities, gateway_authorities
from roadstead.manifests.gateway import Kind, Routing
from roadstead.settings import EnvReader
from roadstead.tokens.gateway_keys import GatewayKey

_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_ADDRESS: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """How routes are written, and how the operator probes them."""

    routing: Routing
    address: str
    """host:port to connect to; empty: the URL's."""
    authorities: Authorities
    """The authorities of its certificate."""
    key_file: Path
    console: str = ""
    """The Service of the console in the operator's namespace; empty without a console."""
    service: str = ""
    """The Service of the embedded gateway in the operator's namespace; empty without one."""

    @property
    def url(self) -> str:
        """The URL that callers use."""
        return self.routing.url

    def key(self) -> GatewayKey:
        """The key shared with forward auth; raises InvalidSettings if it can't be read."""
        return GatewayKey.read(self.key_file)

    @classmethod
    def read(cls, env: EnvReader) -> Self | None:
        """The settings, None without a gateway; `env` collects faults."""
        kind = env.choice("ROADSTEAD_GATEWAY_KIND", ("none", "traefik", "gateway-api"), "none")
        if kind == "none":
            return None
        return cls(
            routing=_routing(env, cast(Kind, kind)),
            address=_address(env),
            authorities=gateway_authorities(env),
            key_file=env.file("ROADSTEAD_GATEWAY_KEY_FILE", "/etc/roadstead/gateway/key"),
            console=env.text("ROADSTEAD_CONSOLE_SERVICE", ""),
            service=env.text("ROADSTEAD_GATEWAY_SERVICE", ""),
        )


def _address(env: EnvReader) -> str:
    address = env.text("ROADSTEAD_GATEWAY_ADDRESS", "")
    if address and not _ADDRESS.fullmatch(address):
        env.fault("ROADSTEAD_GATEWAY_ADDRESS", "is not host:port such as traefik.traefik.svc:443")
    return address


def _host_url(env: EnvReader, name: str, default: str | None = None) -> str:
    url = env.url(name, default)
    if url and not url.startswith("https://"):
        env.fault(name, "is not an https URL such as https://models.example.com")
    elif url and not _HOST.fullmatch(urlsplit(url).hostname or ""):
        # The host is part of a match rule in Traefik's own syntax.
        env.fault(name, "has a host that is neither a DNS name nor an IPv4")
    return url


def _routing(env: EnvReader, kind: Kind) -> Routing:
    url = _host_url(env, "ROADSTEAD_GATEWAY_URL")
    console_url = _host_url(env, "ROADSTEAD_CONSOLE_URL", "")
    if console_url and urlsplit(console_url).hostname == urlsplit(url).hostname:
        # Another port is not enough: cookies ignore ports.
        message = "has the host of ROADSTEAD_GATEWAY_URL; set another host or leave it empty"
        env.fault("ROADSTEAD_CONSOLE_URL", message)
    parent = tuple(part for part in env.text("ROADSTEAD_GATEWAY_PARENT", "").split("/") if part)
    if kind == "gateway-api" and len(parent) not in (2, 3):
        env.fault("ROADSTEAD_GATEWAY_PARENT", "is not namespace/name or namespace/name/listener")
    return Routing(
        kind=kind,
        url=url,
        console_url=console_url,
        forward_auth=env.url("ROADSTEAD_FORWARD_AUTH_URL"),
        entry_points=env.items("ROADSTEAD_GATEWAY_ENTRY_POINTS") or ("websecure",),
        cert_resolver=env.text("ROADSTEAD_GATEWAY_CERT_RESOLVER", ""),
        parent=parent,
        max_in_flight=env.integer("ROADSTEAD_GATEWAY_MAX_IN_FLIGHT", 64, high=1_000_000),
        cors_origins=env.origins("ROADSTEAD_GATEWAY_CORS_ORIGINS"),
    )
