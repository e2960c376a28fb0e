"""`roadstead console`: starts the watch, the pages and the probes, and shuts down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from roadstead.console.auth.console_sessions import Sessions, SignedOut
from roadstead.console.auth.provider import Provider
from roadstead.console.console_settings import ConsoleSettings
from roadstead.console.data.ledger import Ledger
from roadstead.console.data.live import News
from roadstead.console.web.chat_relay import ChatRelay
from roadstead.console.web.edit_views import EditViews
from roadstead.console.web.login_views import LoginViews
from roadstead.console.web.oidc_views import OidcViews
from roadstead.console.web.page_events import Events
from roadstead.console.web.page_rendering import Pages, StaticFiles, Statics
from roadstead.console.web.page_views import PageViews
from roadstead.console.web.session_middleware import SessionMiddleware
from roadstead.console.web.site import Site
from roadstead.issuers.trust import TrustedIssuers, trusting
from roadstead.kube.field_projection import Keep
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import CONFIGMAPS
from roadstead.kube.watch import Watcher
from roadstead.kube.watch_cache import WatchCache
from roadstead.listeners import listening_socket
from roadstead.process.http_servers import Probes, WatchedRevocations, running
from roadstead.process.lifetime import until_signalled

logger = logging.getLogger(__name__)

KEEPALIVE_SECONDS: Final = 600.0
"""More than the 90 s of Traefik's client, as in forward auth."""
MAX_BODY_BYTES: Final = 64 * 1024
MAX_FIELD_BYTES: Final = 32 * 1024


class Console:
    """The components of the process."""

    def __init__(self, settings: ConsoleSettings, client: KubeClient) -> None:
        self._settings = settings
        self._client = client
        self._cache = WatchCache(keep={CONFIGMAPS: Keep(parts={"data": None})})
        self._revocations = WatchedRevocations(
            self._cache, namespace=settings.namespace, name=settings.revocations
        )
        self._watcher = Watcher(client, self._cache, CONFIGMAPS, scope=self._revocations.scope)
        self._probes = Probes(self.not_ready)
        self._tokens: TrustedIssuers | None = None
        self._stopping = asyncio.Event()
        self.port = 0
        """The port of the pages, once they are served."""
        self.probe_port = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then for the grace period."""
        settings = self._settings
        authorities = settings.tokens.authorities
        news = News(settings.dsn_file, authorities)
        async with contextlib.AsyncExitStack() as stack:
            self.probe_port = await stack.enter_async_context(
                self._probes.served(settings.host, settings.probe_port)
            )
            self._tokens = self._probes.tokens = await stack.enter_async_context(
                trusting(settings.tokens, revoked=self._revocations.why)
            )
            ledger = await stack.enter_async_context(Ledger.opened(settings.dsn_file, authorities))
            await stack.enter_async_context(running([self._watcher.run(), news.run()]))
            site = self._site(self._tokens, ledger, news)
            await stack.enter_async_context(self._served(site))
            await stop.wait()
            logger.info("draining for %g s", settings.grace)
            self._stopping.set()
            await asyncio.sleep(settings.grace)

    def not_ready(self) -> str:
        """Return why the process is not ready; empty if it is.

        An unavailable ledger is not a reason: pages report it, and recover with it.
        """
        if self._tokens is None or not self._tokens.ready:
            return "no issuer's keys could be read yet"
        if self._watcher.silence() == float("inf"):
            return "the revoked tokens have not been read yet"
        if not self.port:
            return "starting"
        return "draining" if self._stopping.is_set() else ""

    def _site(self, tokens: TrustedIssuers, ledger: Ledger, news: News) -> Site:
        settings, statics = self._settings, Statics()
        signed_out = SignedOut(
            self._client,
            namespace=settings.namespace,
            name=settings.revocations,
            leeway=settings.tokens.leeway,
            on_write=self._cache.put,
        )
        return Site(
            settings=settings,
            ledger=ledger,
            sessions=Sessions(tokens, signed_out, admin_groups=settings.admin_groups),
            news=news,
            pages=Pages(statics),
            statics=statics,
        )

    @contextlib.asynccontextmanager
    async def _served(self, site: Site) -> AsyncIterator[None]:
        runner = web.AppRunner(
            application(site, self._client, self._stopping),
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            max_field_size=MAX_FIELD_BYTES,
            shutdown_timeout=5.0,
        )
        await runner.setup()
        try:
            listener = listening_socket(self._settings.host, self._settings.port)
            await web.SockSite(runner, listener).start()
            self.port = runner.addresses[0][1]
            logger.info("serving pages on port %d", self.port)
            yield
        finally:
            await runner.cleanup()


def application(site: Site, client: KubeClient, stopping: asyncio.Event) -> web.Application:
    """Create the application with its middleware; `stopping` ends the streams."""
    middleware = SessionMiddleware(site)
    app = web.Application(middlewares=middleware.middlewares, client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(middleware.add_headers)
    if site.settings.servers.separate:
        # InvalidSettings for a CA file without certificates.
        site.settings.servers.authorities.context()
        relay = ChatRelay(site.settings.servers)
        app.cleanup_ctx.append(relay.connected)
        app.add_routes(relay.routes())
    provider = site.settings.provider
    if provider:
        app.add_routes(
            OidcViews(site, Provider(provider, proxy=site.settings.tokens.proxy)).routes()
        )
    for views in (
        LoginViews(site),
        PageViews(site),
        EditViews(site, client),
        Events(site, stopping),
        StaticFiles(site.statics),
    ):
        app.add_routes(views.routes())
    return app


async def serve(settings: ConsoleSettings) -> None:
    """Connect and serve until SIGTERM."""
    stop = until_signalled()
    client = await KubeClient.connect(settings.kubeconfig or None)
    try:
        await Console(settings, client).run(stop)
    finally:
        await client.close()
