"""Middleware of every request: security headers, session, origin of writes, error pages."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Middleware

from roadstead.console import console_metrics
from roadstead.console.console_sessions import forget
from roadstead.console.site import SESSION, UUID, Site, json_answer
from roadstead.errors import InvalidToken, KubeError, LedgerError, LedgerUnavailable
from roadstead.tokens.sessions import is_cross_origin

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PUBLIC: Final = ("/sign-in", "/oidc/", "/static/", "/favicon.ico")
"""What is there without a session."""
API: Final = "/api/"
EVENTS: Final = "text/event-stream"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: a browser then says `Origin: null` of our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_ADDRESS: Final = re.compile(rf"/{UUID}/?")
_AWAY: Final = (
    "The records can't be read at the moment. Servers go on; this page tries again by itself."
)
_WORDS: Final = {
    404: ("Nothing here", "There is no such page, or it is not yours to see."),
    405: ("Not like this", "This address takes no such request."),
    413: ("Too large", "What was sent is too large."),
}


class SessionMiddleware:
    """Middlewares of the application; the first one sees a request first."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def middlewares(self) -> list[Middleware]:
        """In their order."""
        return [self._answered, self._identified]

    async def headed(self, request: web.Request, response: web.StreamResponse) -> None:
        """The headers of every answer; a signal of the application's."""
        for name, value in _HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["Server"] = "roadstead"

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every error as a page, or as JSON where the API was asked."""
        started = time.perf_counter()
        response = await self._answer(request, handler)
        if response.content_type != EVENTS:
            kind = "api" if request.path.startswith(API) else "page"
            console_metrics.SECONDS.labels(kind).observe(time.perf_counter() - started)
        if response.status >= 500:
            console_metrics.FAILURES.labels(str(response.status)).inc()
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPRedirection:
            raise
        except web.HTTPException as error:
            title, message = _WORDS.get(error.status, (error.reason, error.text or ""))
            return self.refused(request, error.status, title, message)
        except LedgerUnavailable as error:
            logger.warning("the ledger is not there: %s", error)
            return self.refused(request, 503, "The ledger does not answer", _AWAY)
        except (LedgerError, KubeError) as error:
            logger.error("%s %s: %s", request.method, request.path, error)
            return self.refused(request, 502, "Something else failed", "The log says more.")
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            message = "This is a fault of the console; its log says more."
            return self.refused(request, 500, "Something broke", message)

    @web.middleware
    async def _identified(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whoever has no session gets to sign in; whoever writes must come from our own pages."""
        if request.match_info.http_exception is not None:
            raise request.match_info.http_exception
        if _ADDRESS.fullmatch(request.path) and not wants_page(request):
            # No server's route has taken it: what calls an API is told so, not led to sign in.
            raise web.HTTPNotFound
        if is_cross_origin(
            request.headers, method=request.method, origin=self._site.settings.origin
        ):
            message = "A request that changes something counts from the console's own pages alone."
            return self.refused(request, 403, "From another site", message)
        if request.path.startswith(PUBLIC):
            return await handler(request)
        try:
            session = await self._site.sessions.of(request)
        except InvalidToken as error:
            return self._signed_out(request, str(error), had=True)
        if session is None:
            return self._signed_out(request, "you are not signed in", had=False)
        request[SESSION] = session
        return await handler(request)

    def _signed_out(self, request: web.Request, why: str, *, had: bool) -> web.StreamResponse:
        if request.path.startswith(API) or request.method != "GET":
            response: web.StreamResponse = json_answer(
                {"error": {"code": "SignedOut", "message": why}}, status=401
            )
        else:
            query = "?ended=1&next=" if had else "?next="
            response = web.Response(
                status=303,
                headers={"Location": f"/sign-in{query}{quote(request.path_qs, safe='')}"},
            )
        if had:
            forget(response)
        return response

    def refused(
        self, request: web.Request, status: int, title: str, message: str
    ) -> web.StreamResponse:
        """An error for whoever asked."""
        if request.path.startswith(API) or not wants_page(request):
            return json_answer({"error": {"code": title, "message": message}}, status=status)
        return self._site.page(
            request, "error.html", status=status, title=title, message=message, code=status
        )


def wants_page(request: web.Request) -> bool:
    """Whether a browser asks, to show what it gets."""
    return "text/html" in request.headers.get("Accept", "")
