"""Sign-in with a token, and sign-out."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from roadstead.console import console_metrics
from roadstead.console.auth.console_sessions import Session, delete_cookie
from roadstead.console.web.site import SESSION, Site
from roadstead.errors import InvalidToken, KubeError, SignOutRefused

HOME: Final = "/servers"
_LOCAL: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}")
"""A path of the console with an optional query: no host, control character or backslash."""


class LoginViews:
    """`/sign-in` and `/sign-out`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/sign-in", self._form),
            web.post("/sign-in", self._sign_in),
            web.post("/sign-out", self._sign_out),
        ]

    async def _form(self, request: web.Request) -> web.StreamResponse:
        notice = ""
        if "ended" in request.query:
            notice = "Your session has ended. Sign in again to continue."
        if "out" in request.query:
            notice = "You are signed out, and your token is revoked."
        return self._site.page(
            request,
            "sign-in.html",
            next=local_path(request.query.get("next", "")),
            notice=notice,
            error="",
        )

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        target = local_path(str(form.get("next", "")))
        token = str(form.get("token", "")).strip().removeprefix("Bearer ").strip()
        response = web.Response(status=303, headers={"Location": target})
        try:
            if not token:
                raise InvalidToken("the token is missing: paste one", reason="TokenMissing")
            session = await self._site.sessions.verify(token)
            self._site.sessions.begin(response, session)
        except InvalidToken as error:
            console_metrics.SIGN_INS.labels("refused").inc()
            message = str(error)
            return self._site.page(
                request,
                "sign-in.html",
                status=403,
                next=target,
                notice="",
                error=message[:1].upper() + message[1:] + ".",
            )
        return response

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        session: Session = request[SESSION]
        response = web.Response(status=303, headers={"Location": "/sign-in?out=1"})
        try:
            await self._site.sessions.end(response, session)
        except KubeError:
            return self._not_revoked(request, 502, "the Kubernetes API does not answer")
        except SignOutRefused as error:
            return self._not_revoked(request, 429, str(error))
        return response

    def _not_revoked(self, request: web.Request, status: int, why: str) -> web.StreamResponse:
        failed = self._site.page(
            request,
            "error.html",
            status=status,
            code=status,
            title="Only signed out here",
            message="This browser has deleted the token, but it could not be revoked: "
            f"{why}. The token is valid until it expires.",
        )
        delete_cookie(failed)
        return failed


def local_path(target: str) -> str:
    """Return the target after sign-in: a path of the console, never another site."""
    return target if _LOCAL.fullmatch(target) and not target.startswith("/sign-") else HOME
