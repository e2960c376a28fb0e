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

from roadstead.api.object_names import UUID
from roadstead.console import console_metrics
from roadstead.console.auth.console_sessions import delete_cookie
from roadstead.console.web.site import SESSION, Site, json_answer
from roadstead.errors import InvalidToken, KubeError, LedgerError, LedgerUnavailable
from roadstead.tokens.sessions import is_cross_origin

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PUBLIC: Final = ("/sign-in", "/oidc/", "/static/", "/favicon.ico")
"""The paths that need no session."""
API: Final = "/api/"
EVENTS: Final = "text/event-stream"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers then send `Origin: null` from the console's forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_ADDRESS: Final = re.compile(rf"/{UUID}/?")
_LEDGER_UNAVAILABLE: Final = (
    "The records are unavailable. Servers are not affected; this page retries automatically."
)
_ERROR_TEXTS: Final = {
    404: ("Not found", "This page does not exist, or you may not see it."),
    405: ("Method not allowed", "This address does not accept this request."),
    413: ("Too large", "The request is too large."),
}


class SessionMiddleware:
    """The middlewares of the application."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def middlewares(self) -> list[Middleware]:
        """The middlewares, outermost first."""
        return [self._handle_errors, self._require_session]

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the common headers to a response; for the application's signal."""
        for name, value in _HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["Server"] = "roadstead"

    @web.middleware
    async def _handle_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Convert errors to pages, or to JSON for the API, and measure the duration."""
        started = time.perf_counter()
        response = await self._call_handler(request, handler)
        if response.content_type != EVENTS:
            kind = "api" if request.path.startswith(API) else "page"
            console_metrics.SECONDS.labels(kind).observe(time.perf_counter() - started)
        if response.status >= 500:
            console_metrics.FAILURES.labels(str(response.status)).inc()
        return response

    async def _call_handler(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPRedirection:
            raise
        except web.HTTPException as error:
            title, message = _ERROR_TEXTS.get(error.status, (error.reason, error.text or ""))
            return self.error_response(request, error.status, title, message)
        except LedgerUnavailable as error:
            logger.warning("the ledger is unavailable: %s", error)
            return self.error_response(
                request, 503, "The ledger does not answer", _LEDGER_UNAVAILABLE
            )
        except (LedgerError, KubeError) as error:
            logger.error("%s %s: %s", request.method, request.path, error)
            return self.error_response(
                request, 502, "Internal error", "The console's log has the cause."
            )
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            message = "The console has a fault; its log has the cause."
            return self.error_response(request, 500, "Internal error", message)

    @web.middleware
    async def _require_session(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Redirect requests without a session to sign-in, and refuse writes from other sites."""
        if request.match_info.http_exception is not None:
            raise request.match_info.http_exception
        if _ADDRESS.fullmatch(request.path) and not wants_page(request):
            # No server has this address: an API client gets 404, not a redirect to sign-in.
            raise web.HTTPNotFound
        if is_cross_origin(
            request.headers, method=request.method, origin=self._site.settings.origin
        ):
            message = "Requests that change something are accepted only from the console's pages."
            return self.error_response(request, 403, "From another site", message)
        if request.path.startswith(PUBLIC):
            return await handler(request)
        try:
            session = await self._site.sessions.of(request)
        except InvalidToken as error:
            return self._signed_out(request, str(error), expired=True)
        if session is None:
            return self._signed_out(request, "you are not signed in", expired=False)
        request[SESSION] = session
        return await handler(request)

    def _signed_out(self, request: web.Request, why: str, *, expired: bool) -> web.StreamResponse:
        if request.path.startswith(API) or request.method != "GET":
            response: web.StreamResponse = json_answer(
                {"error": {"code": "SignedOut", "message": why}}, status=401
            )
        else:
            query = "?ended=1&next=" if expired else "?next="
            response = web.Response(
                status=303,
                headers={"Location": f"/sign-in{query}{quote(request.path_qs, safe='')}"},
            )
        if expired:
            delete_cookie(response)
        return response

    def error_response(
        self, request: web.Request, status: int, title: str, message: str
    ) -> web.StreamResponse:
        """Return an error as a page, or as JSON for the API."""
        if request.path.startswith(API) or not wants_page(request):
            return json_answer({"error": {"code": title, "message": message}}, status=status)
        return self._site.page(
            request, "error.html", status=status, title=title, message=message, code=status
        )


def wants_page(request: web.Request) -> bool:
    """Whether the client is a browser that displays pages."""
    return "text/html" in request.headers.get("Accept", "")
