"""One host with the console and a server, whose requests are recorded, behind Traefik."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.console.tokens import make_token
from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from dev.servers.process import free_port
from roadstead.api.modelserve import ModelServe
from roadstead.manifests.gateway import Routing, route_objects
from roadstead.manifests.service_routes import console_route
from tests.support.apiserver import PROGRAMS, build_before_timers, fresh_namespace
from tests.support.builders.objects import Raw
from tests.support.forwardauth.auth_process import prepare, running_auth
from tests.support.forwardauth.permitted_server import make_site, make_system
from tests.support.gateway.recording_server import RecordingServer, running_recorder
from tests.support.gateway.traefik_process import TraefikProcess, routes_of, running_traefik
from tests.support.waiting import wait_until

CONSOLE = {"metadata": {"name": "roadstead-console", "namespace": "roadstead", "uid": "u"}}
PAGE = b"<!doctype html><title>console</title><p>the console"
SILENCE_SECONDS = 30.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Host:
    """`https://localhost:<port>`, with the console at `/` and a server at `/<uuid>`."""

    traefik: TraefikProcess
    server: RecordingServer
    app: RecordingServer
    """Another site's, whose pages may call servers."""
    uuid: str
    token: str = dataclasses.field(repr=False)

    @property
    def origin(self) -> str:
        """As browsers write it."""
        return f"https://localhost:{self.traefik.port}"

    def exchange(self, method: str, target: str, *headers: str, body: str = "") -> bytes:
        """Send a request that no library would, with the token; all that comes back."""
        shown = f"Authorization: Bearer {self.token}"
        return self.exchange_without_token(method, target, shown, *headers, body=body)

    def exchange_without_token(
        self, method: str, target: str, *headers: str, body: str = ""
    ) -> bytes:
        """The same with these headers alone."""
        return self.exchange_text(
            f"{method} {target} HTTP/1.1", *headers, f"Content-Length: {len(body)}", end=body
        )

    def exchange_text(self, line: str, *headers: str, end: str = "") -> bytes:
        """Send a request line, headers and what follows them, as they are."""
        host = f"Host: localhost:{self.traefik.port}"
        text = "\r\n".join((line, host, *headers, "Connection: close")) + f"\r\n\r\n{end}"
        with self.connected() as stream:
            heard = b""
            with contextlib.suppress(ConnectionError, TimeoutError):
                stream.sendall(text.encode("latin-1"))
                while data := stream.recv(65536):
                    heard += data
            return heard

    @contextlib.contextmanager
    def connected(self, *protocols: str) -> Iterator[ssl.SSLSocket]:
        """A connection to Traefik, with these protocols in TLS's negotiation."""
        tls = self.traefik.tls()
        if protocols:
            tls.set_alpn_protocols(protocols)
        address = ("127.0.0.1", self.traefik.port)
        with (
            socket.create_connection(address, SILENCE_SECONDS) as plain,
            tls.wrap_socket(plain, server_hostname="127.0.0.1") as stream,
        ):
            yield stream


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the cache lacks before any test's timer runs: the first time takes minutes."""
    build_before_timers(session, Path(__file__).parent, *PROGRAMS, "traefik")


@pytest.fixture(scope="package")
def shared_host(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One for the folder, forward auth included, as the chart joins them."""
    serve, port = asyncio.run(_serve(apiserver)), free_port()
    origin, folder = f"https://localhost:{port}", tmp_path_factory.mktemp("gateway")
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(running_recorder(content_type="text/html", body=PAGE))
        settings = {"ROADSTEAD_GATEWAY_URL": origin, "ROADSTEAD_GATEWAY_CORS_ORIGINS": app.url}
        auth = stack.enter_context(
            running_auth(apiserver, prepare(folder), name="gateway", **settings)
        )
        server = stack.enter_context(running_recorder())
        console = stack.enter_context(running_recorder(content_type="text/html", body=PAGE))
        routing = Routing(
            kind="traefik",
            url=origin,
            forward_auth=f"http://127.0.0.1:{auth.port}",
            cors_origins=(app.url,),
        )
        route = console_route(CONSOLE, routing)
        objects = [*route_objects(ModelServe.parse(serve), routing, 80), route]
        names = {serve["metadata"]["name"]: server.url, "roadstead-console": console.url}
        traefik = stack.enter_context(running_traefik(folder, routes_of(objects, names), port=port))
        uuid, token = serve["metadata"]["uid"], make_token()
        wait_until(lambda: auth.status(uuid, token) == 200)
        made = Host(traefik=traefik, server=server, app=app, uuid=uuid, token=token)
        wait_until(lambda: _serves(made))
        yield made


def _serves(host: Host) -> bool:
    """Whether Traefik has read its routes and its certificate: it answers before that."""
    try:
        heard = host.exchange("GET", f"/{host.uuid}/v1/models")
    except OSError:
        return False
    return heard.startswith(b"HTTP/1.1 200 ")


@pytest.fixture
def host(shared_host: Host) -> Host:
    """With a server that has got nothing yet, and answers in JSON."""
    fresh = RecordingServer()
    for field in ("status", "content_type", "body", "headers", "pause_seconds"):
        setattr(shared_host.server, field, getattr(fresh, field))
    shared_host.server.requests.clear()
    return shared_host


async def _serve(apiserver: ApiServer) -> Raw:
    await make_system(apiserver)
    async with connect(apiserver) as api:
        site = await make_site(api, await fresh_namespace(api, "gateway"))
        return site.serve
