"""llama.cpp's server and Traefik before it, on this machine, joined as in a cluster."""

import contextlib
import dataclasses
import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dev import model
from dev.binaries import ensure
from dev.images import llama
from dev.servers import process
from dev.servers.process import free_ports
from tests.support.certificates import write_certificate

START_SECONDS: Final = 60.0
IN_FLIGHT: Final = 64
OPEN: Final = "open"
"""The first segment of the route that asks nobody."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostGateway:
    """Where each of them answers."""

    llama: str
    """`http://127.0.0.1:PORT`"""
    traefik: str
    """`https://127.0.0.1:PORT`, where `/open` and `/<uuid>` lead to the same server."""


@contextlib.contextmanager
def running(
    folder: Path, *, forward_auth: str, server_uuid: str, key: str
) -> Iterator[HostGateway]:
    """Both of them in `folder`, which takes configuration and logs; they end on the way out.

    `key` is what the server takes for an API key: the one that forward auth answers with.
    """
    server, entry, ping = free_ports(3)
    url = f"http://127.0.0.1:{server}"
    (folder / "api-key").write_text(key)
    write_certificate(folder)
    dynamic = folder / "dynamic.yaml"
    dynamic.write_text(json.dumps(routes(folder, url, forward_auth, server_uuid)))
    static = folder / "traefik.yaml"
    static.write_text(json.dumps(entry_points(dynamic, entry, ping)))
    traefik = [str(ensure("traefik")["traefik"]), f"--configfile={static}"]
    with (
        process.running(
            "llama-server",
            llama_command(folder, server),
            folder / "llama.log",
            lambda: _healthy(server, "/health"),
            seconds=START_SECONDS,
            bound=True,
        ),
        process.running(
            "Traefik",
            traefik,
            folder / "traefik.log",
            lambda: _healthy(ping, "/ping"),
            seconds=START_SECONDS,
            bound=True,
        ),
    ):
        yield HostGateway(llama=url, traefik=f"https://127.0.0.1:{entry}")


def llama_command(folder: Path, port: int) -> Sequence[str]:
    """As in a pod."""
    named = {"model": model.ensure(), "api-key-file": folder / "api-key", "port": port}
    return [
        *(str(llama.ensure()), "--host", "127.0.0.1", "--ctx-size", "512", "--threads", "1"),
        *("--metrics", "--no-slots", "--no-webui", "--offline"),
        *(part for name, value in named.items() for part in (f"--{name}", str(value))),
    ]


def entry_points(dynamic: Path, entry: int, ping: int) -> Mapping[str, Any]:
    """Traefik's static configuration: strict about what is encoded, with the access log."""
    kinds = ("Slash", "BackSlash", "NullCharacter", "Semicolon", "Percent", "QuestionMark", "Hash")
    refused = {f"allowEncoded{kind}": False for kind in kinds}
    return {
        "entryPoints": {
            "websecure": {
                "address": f"127.0.0.1:{entry}",
                "http": {"tls": {}, "encodedCharacters": refused},
            },
            "ping": {"address": f"127.0.0.1:{ping}"},
        },
        "ping": {"entryPoint": "ping"},
        "providers": {"file": {"filename": str(dynamic)}},
        "accessLog": {"format": "json", "filePath": "/dev/null"},
        "log": {"level": "WARN"},
    }


def routes(folder: Path, server: str, forward_auth: str, server_uuid: str) -> Mapping[str, Any]:
    """Traefik's dynamic configuration: the middlewares that a ModelServe has, and none."""
    passed = ["Authorization", "Cookie", "X-Auth-Subject", "X-Auth-Groups"]
    middlewares = {
        "auth": {
            "forwardAuth": {
                "address": f"{forward_auth}/verify/{server_uuid}",
                "trustForwardHeader": False,
                "authRequestHeaders": ["Authorization", "Cookie", "Origin", "Sec-Fetch-Site"],
                "authResponseHeaders": passed,
                "maxResponseBodySize": 4096,
            }
        },
        "limit": {"inFlightReq": {"amount": IN_FLIGHT}},
        "strip": {"stripPrefix": {"prefixes": [f"/{server_uuid}"]}},
        "strip-open": {"stripPrefix": {"prefixes": [f"/{OPEN}"]}},
    }
    routers = {
        "secured": _router(server_uuid, "auth", "limit", "strip"),
        "open": _router(OPEN, "strip-open"),
    }
    service = {"loadBalancer": {"servers": [{"url": server}]}}
    pair = {"certFile": str(folder / "tls.crt"), "keyFile": str(folder / "tls.key")}
    return {
        "http": {
            "routers": routers,
            "middlewares": middlewares,
            "services": {"llama": service},
        },
        "tls": {"stores": {"default": {"defaultCertificate": pair}}},
    }


def _router(segment: str, *middlewares: str) -> Mapping[str, Any]:
    return {
        "rule": f"Path(`/{segment}`) || PathPrefix(`/{segment}/`)",
        "entryPoints": ["websecure"],
        "middlewares": list(middlewares),
        "service": "llama",
    }


def _healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
