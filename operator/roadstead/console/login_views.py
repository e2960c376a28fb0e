"""Signing in with a token, and signing out."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from roadstead.console import console_metrics
from roadstead.console.console_sessions import Session, forget
from roadstead.console.site import SESSION, Site
from roadstead.errors import InvalidToken, KubeError, SignOutRefused

HOME: Final = "/servers"
_LOCAL: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}")
"""A path of ours, with a query perhaps: no other host, no control character, no backslash."""


class LoginViews:
    """`/sign-in` and `/sign-out`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """For an aiohttp application."""
        return [
            web.get("/sign-in", self._form),
            web.post("/sign-in", self._sign_in),
            web.post("/sign-out", self._sign_out),
        ]

    async def _form(self, request: web.Request) -> web.StreamResponse:
        why = ""
        if "ended" in request.query:
            why = "Your session has ended. Sign in again to go on."
        if "out" in request.query:
            why = "You are signed out, and the token you used is worthless from now on."
        return self._site.page(
            request, "sign-in.html", next=local(request.query.get("next", "")), why=why, wrong=""
        )

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        target = local(str(form.get("next", "")))
        token = str(form.get("token", "")).strip().removeprefix("Bearer ").strip()
        response = web.Response(status=303, headers={"Location": target})
        try:
            if not token:
                raise InvalidToken("paste a token first", reason="TokenMissing")
            session = await self._site.sessions.verified(token)
            self._site.sessions.begin(response, session)
        except InvalidToken as error:
            console_metrics.SIGN_INS.labels("refused").inc()
            wrong = str(error)
            return self._site.page(
                request,
                "sign-in.html",
                status=403,
                next=target,
                why="",
                wrong=wrong[:1].upper() + wrong[1:] + ".",
            )
        return response

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        session: Session = request[SESSION]
        response = web.Response(status=303, headers={"Location": "/sign-in?out=1"})
        try:
            await self._site.sessions.end(response, session)
        except KubeError:
            return self._only_here(request, 502, "the Kubernetes API does not answer")
        except SignOutRefused as error:
            return self._only_here(request, 429, str(error))
        return response

    def _only_here(self, request: web.Request, status: int, why: str) -> web.StreamResponse:
        failed = self._site.page(
            request,
            "error.html",
            status=status,
            code=status,
            title="Only signed out here",
            message="This browser has forgotten the token, but it could not be made worthless "
            f"everywhere: {why}. It holds until it expires.",
        )
        forget(failed)
        return failed


def local(target: str) -> str:
    """Where to go after signing in: a path of this console, never another site."""
    return target if _LOCAL.fullmatch(target) and not target.startswith("/sign-") else HOME
