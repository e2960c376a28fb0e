"""Sessions: the cookie with the token, from sign-in to sign-out."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from aiohttp import web

from roadstead.console import console_metrics
from roadstead.console.signedout import SignedOut
from roadstead.errors import InvalidToken
from roadstead.policy.contract_policy import Caller
from roadstead.tokens.claims import Claims
from roadstead.tokens.sessions import COOKIE

logger = logging.getLogger(__name__)

MAX_COOKIE_BYTES: Final = 4096
"""Limit of name and value together in browsers (RFC 6265, 6.1)."""


class SessionTokens(Protocol):
    """Verifies tokens; raises only InvalidToken."""

    async def verify(self, token: str, *, now: int) -> Claims:
        """Return the claims of a token that is valid at `now`, in seconds since 1970."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """A user with a valid token."""

    claims: Claims
    token: str = dataclasses.field(repr=False)
    admin: bool = False

    @property
    def caller(self) -> Caller:
        """The caller for policies."""
        claims = self.claims
        return Caller(subject=claims.subject, groups=claims.groups, scopes=claims.scopes)


class Sessions:
    """Reads, starts and ends sessions; a session is a token."""

    def __init__(
        self,
        tokens: SessionTokens,
        signed_out: SignedOut,
        *,
        admin_groups: frozenset[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._signed_out = signed_out
        self._admin_groups = admin_groups
        self._clock = clock

    async def of(self, request: web.Request) -> Session | None:
        """Return the session of a request; None without a cookie, InvalidToken if it is invalid."""
        token = request.cookies.get(COOKIE, "")
        return await self.verify(token) if token else None

    async def verify(self, token: str) -> Session:
        """Return the session of a token; InvalidToken if it is invalid."""
        claims = await self._tokens.verify(token, now=int(self._clock()))
        admin = not self._admin_groups.isdisjoint(claims.groups)
        return Session(claims=claims, token=token, admin=admin)

    def begin(self, response: web.StreamResponse, session: Session) -> None:
        """Set the cookie until the token expires."""
        if len(COOKIE) + len(session.token) >= MAX_COOKIE_BYTES:
            message = (
                f"the token has {len(session.token)} characters; browsers store at most "
                f"{MAX_COOKIE_BYTES - len(COOKIE) - 1}. Request a token with fewer groups"
            )
            raise InvalidToken(message, reason="TokenTooLong")
        console_metrics.SIGN_INS.labels("done").inc()
        left = max(0, session.claims.expires_at - int(self._clock()))
        response.set_cookie(
            COOKIE, session.token, max_age=left, path="/", secure=True, httponly=True,
            samesite="Strict",
        )  # fmt: skip

    async def end(self, response: web.StreamResponse, session: Session | None) -> None:
        """Delete the cookie, and revoke the token.

        Raises KubeError or SignOutRefused; then only the cookie is deleted.
        """
        delete_cookie(response)
        if session is not None:
            await self._signed_out.add(session.claims)
            logger.info("%s signed out", session.claims.subject)


def delete_cookie(response: web.StreamResponse) -> None:
    """Delete the session's cookie."""
    response.set_cookie(
        COOKIE, "", max_age=0, path="/", secure=True, httponly=True, samesite="Strict"
    )
