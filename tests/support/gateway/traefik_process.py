"""Traefik as a child process, with IngressRoutes and Middlewares from a configuration file.

It reads the same middlewares and rules from the file as from the API server, without a cluster.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from dev.binaries import ensure
from dev.servers import process
from dev.servers.process import answers, free_ports
from roadstead.manifests.rendering import Manifest
from tests.support.certificates import write_certificate

START_SECONDS: Final = 60.0
ENTRY_POINT: Final = "websecure"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TraefikProcess:
    """A running Traefik."""

    port: int
    authority: Path

    def tls(self) -> ssl.SSLContext:
        """A context that trusts its certificate, which is for 127.0.0.1."""
        return ssl.create_default_context(cafile=self.authority)


def entry_points(dynamic: Path, entry: int, ping: int) -> Mapping[str, Any]:
    """Traefik's static configuration: strict about encoded characters, with the access log."""
    kinds = ("Slash", "BackSlash", "NullCharacter", "Semicolon", "Percent", "QuestionMark", "Hash")
    refused = {f"allowEncoded{kind}": False for kind in kinds}
    http = {"tls": {}, "encodedCharacters": refused, "aliasHeadersStrategy": "reject"}
    return {
        "entryPoints": {
            ENTRY_POINT: {"address": f"127.0.0.1:{entry}", "http": http},
            "ping": {"address": f"127.0.0.1:{ping}"},
        },
        "ping": {"entryPoint": "ping"},
        "providers": {"file": {"filename": str(dynamic)}},
        "accessLog": {"format": "json", "filePath": "/dev/null"},
        "log": {"level": "WARN"},
    }


def routes_of(objects: Iterable[Manifest], services: Mapping[str, str]) -> dict[str, Any]:
    """Traefik's dynamic configuration for IngressRoutes and Middlewares; `services` by name."""
    routers: dict[str, Any] = {}
    middlewares: dict[str, Any] = {}
    for item in objects:
        name = item["metadata"]["name"]
        if item["kind"] == "Middleware":
            middlewares[name] = item["spec"]
        elif item["kind"] == "IngressRoute":
            for number, rule in enumerate(item["spec"]["routes"]):
                routers[f"{name}-{number}"] = _router(rule)
    servers = {
        name: {"loadBalancer": {"servers": [{"url": url}]}} for name, url in services.items()
    }
    return {"http": {"routers": routers, "middlewares": middlewares, "services": servers}}


def _router(rule: Manifest) -> Mapping[str, Any]:
    return {
        "rule": rule["match"],
        "priority": rule.get("priority", 0),
        "entryPoints": [ENTRY_POINT],
        "middlewares": [each["name"] for each in rule.get("middlewares", ())],
        "service": rule["services"][0]["name"],
    }


@contextlib.contextmanager
def running_traefik(
    folder: Path, routes: Mapping[str, Any], *, port: int, bound: bool = False
) -> Iterator[TraefikProcess]:
    """Run Traefik with files in `folder` until the block ends."""
    (ping,) = free_ports(1)
    write_certificate(folder)
    pair = {"certFile": str(folder / "tls.crt"), "keyFile": str(folder / "tls.key")}
    dynamic, static = folder / "dynamic.yaml", folder / "traefik.yaml"
    stores = {"default": {"defaultCertificate": pair}}
    dynamic.write_text(json.dumps({**routes, "tls": {"stores": stores}}))
    static.write_text(json.dumps(entry_points(dynamic, port, ping)))
    with process.running(
        "Traefik",
        [str(ensure("traefik")["traefik"]), f"--configfile={static}"],
        folder / "traefik.log",
        partial(answers, f"http://127.0.0.1:{ping}/ping"),
        seconds=START_SECONDS,
        bound=bound,
    ):
        yield TraefikProcess(port=port, authority=folder / "ca.crt")
