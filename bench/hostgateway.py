"""llama.cpp's server on this machine with Traefik as its gateway, configured as in a cluster."""

import contextlib
import dataclasses
import http.client
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dev import model
from dev.images import llama
from dev.servers import process
from dev.servers.process import free_ports
from roadstead.api.modelserve import ModelServe
from roadstead.manifests.gateway import Routing, route_objects
from tests.support.gateway.traefik_process import ENTRY_POINT, routes_of, running_traefik

START_SECONDS: Final = 60.0
IN_FLIGHT: Final = 64
NAME: Final = "llama"
OPEN: Final = "open"
"""The first path segment of the route without authentication."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostGateway:
    """The addresses of both."""

    llama: str
    """`http://127.0.0.1:PORT`"""
    traefik: str
    """`https://127.0.0.1:PORT`; `/open` and `/<uuid>` are routes to the same server."""


@contextlib.contextmanager
def running(
    folder: Path, *, forward_auth: str, server_uuid: str, key: str
) -> Iterator[HostGateway]:
    """Run both in `folder`, for configuration and logs; stop them on exit.

    `key` is the server's API key, which forward auth adds to requests.
    """
    server, entry = free_ports(2)
    url = f"http://127.0.0.1:{server}"
    (folder / "api-key").write_text(key)
    with (
        process.running(
            "llama-server",
            llama_command(folder, server),
            folder / "llama.log",
            lambda: _healthy(server, "/health"),
            seconds=START_SECONDS,
            bound=True,
        ),
        running_traefik(folder, routes(url, forward_auth, server_uuid), port=entry, bound=True),
    ):
        yield HostGateway(llama=url, traefik=f"https://127.0.0.1:{entry}")


def llama_command(folder: Path, port: int) -> Sequence[str]:
    """The command line as in a pod."""
    named = {"model": model.ensure(), "api-key-file": folder / "api-key", "port": port}
    return [
        *(str(llama.ensure()), "--host", "127.0.0.1", "--ctx-size", "512", "--threads", "1"),
        *("--metrics", "--no-slots", "--no-webui", "--offline"),
        *(part for name, value in named.items() for part in (f"--{name}", str(value))),
    ]


def routes(server: str, forward_auth: str, server_uuid: str) -> Mapping[str, Any]:
    """Traefik's dynamic configuration: a route with a ModelServe's middlewares, and one without."""
    meta = {"name": NAME, "namespace": "bench", "uid": server_uuid}
    serve = ModelServe.parse({"metadata": meta, "spec": {"modelName": NAME}})
    routing = Routing(
        kind="traefik", url="https://127.0.0.1", forward_auth=forward_auth, max_in_flight=IN_FLIGHT
    )
    found = routes_of(route_objects(serve, routing, 80), {NAME: server})
    found["http"]["middlewares"]["strip-open"] = {"stripPrefix": {"prefixes": [f"/{OPEN}"]}}
    found["http"]["routers"]["open"] = {
        "rule": f"PathPrefix(`/{OPEN}/`)",
        "entryPoints": [ENTRY_POINT],
        "middlewares": ["strip-open"],
        "service": NAME,
    }
    return found


def _healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
