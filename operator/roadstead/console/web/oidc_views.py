"""`/oidc/start` and `/oidc/callback`: sign-in at the OpenID provider."""

from __future__ import annotations

import logging

from aiohttp import web

from roadstead.console import console_metrics
from roadstead.console.auth.authorization import (
    COOKIE,
    LIFETIME_SECONDS,
    LoginAttempt,
    authorization_url,
    check_nonce,
    code_of,
    unknown_sign_in,
)
from roadstead.console.auth.console_sessions import Session
from roadstead.console.auth.provider import Provider
from roadstead.console.web.login_views import local_path
from roadstead.console.web.site import Site
from roadstead.errors import InvalidToken

logger = logging.getLogger(__name__)


class OidcViews:
    """The two addresses, which need no session."""

    def __init__(self, site: Site, provider: Provider) -> None:
        self._site = site
        self._provider = provider
        self._redirect = f"{site.settings.origin}/oidc/callback"

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/oidc/start", self._start), web.get("/oidc/callback", self._callback)]

    async def _start(self, request: web.Request) -> web.StreamResponse:
        attempt = LoginAttempt.begin(local_path(request.query.get("next", "")))
        try:
            endpoint = await self._provider.endpoint("authorization_endpoint")
        except InvalidToken as error:
            return self._failed(request, error, attempt.target)
        settings = self._provider.settings
        url = authorization_url(
            endpoint,
            attempt,
            client=settings.client,
            redirect=self._redirect,
            scopes=settings.scopes,
        )
        response = web.Response(status=303, headers={"Location": url})
        # Lax: the provider's response is a navigation from its site.
        response.set_cookie(
            COOKIE, attempt.cookie(), max_age=LIFETIME_SECONDS, path="/", secure=True,
            httponly=True, samesite="Lax",
        )  # fmt: skip
        return response

    async def _callback(self, request: web.Request) -> web.StreamResponse:
        attempt = LoginAttempt.read(request.cookies.get(COOKIE, ""))
        target = attempt.target if attempt else ""
        try:
            session = await self._session(request, attempt)
            # Not a redirect: it would count as a request from the provider's site, without the
            # SameSite=Strict cookie.
            response = self._site.page(request, "signed-in.html", target=local_path(target))
            self._site.sessions.begin(response, session)
        except InvalidToken as error:
            return self._failed(request, error, target)
        _delete_cookie(response)
        return response

    async def _session(self, request: web.Request, attempt: LoginAttempt | None) -> Session:
        """Return the session of the provider's valid token; InvalidToken otherwise."""
        issuer = self._provider.settings.issuer
        if attempt is None:
            raise unknown_sign_in()
        code = code_of(request.query, attempt, issuer=issuer)
        token, id_token = await self._provider.tokens(
            code, verifier=attempt.verifier, redirect=self._redirect
        )
        session = await self._site.sessions.verify(token)
        check_nonce(id_token, attempt)
        if session.claims.issuer != issuer:
            raise InvalidToken("the token is from another issuer", reason="SignInIssuer")
        return session

    def _failed(self, request: web.Request, error: InvalidToken, target: str) -> web.StreamResponse:
        console_metrics.SIGN_INS.labels("refused").inc()
        logger.info("sign-in failed: %s: %s", error.reason, error)
        message = str(error)
        response = self._site.page(
            request,
            "sign-in.html",
            status=403,
            next=local_path(target),
            notice="",
            error=message[:1].upper() + message[1:] + ".",
        )
        _delete_cookie(response)
        return response


def _delete_cookie(response: web.StreamResponse) -> None:
    response.set_cookie(COOKIE, "", max_age=0, path="/", secure=True, httponly=True, samesite="Lax")
