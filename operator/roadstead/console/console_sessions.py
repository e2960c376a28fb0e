"""Who is signed in: the cookie that holds a token, from signing in to signing out."""

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
"""Of name and value: what a browser keeps (RFC 6265, 6.1)."""


class SessionTokens(Protocol):
    """Verifies callers' tokens; InvalidToken, and nothing else."""

    async def verify(self, token: str, *, now: int) -> Claims:
        """What a token says that holds at `now`, in seconds since 1970."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """Somebody whose token holds."""

    claims: Claims
    token: str = dataclasses.field(repr=False)
    admin: bool = False

    @property
    def caller(self) -> Caller:
        """As policies take him."""
        claims = self.claims
        return Caller(subject=claims.subject, groups=claims.groups, scopes=claims.scopes)


class Sessions:
    """Reads, begins and ends sessions; what a session is, is the token alone."""

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
        """The request's; None without a cookie. InvalidToken for one that does not hold."""
        token = request.cookies.get(COOKIE, "")
        return await self.verified(token) if token else None

    async def verified(self, token: str) -> Session:
        """The session of a token; InvalidToken for one that does not hold."""
        claims = await self._tokens.verify(token, now=int(self._clock()))
        admin = not self._admin_groups.isdisjoint(claims.groups)
        return Session(claims=claims, token=token, admin=admin)

    def begin(self, response: web.StreamResponse, session: Session) -> None:
        """Have the browser keep the token, for as long as it holds."""
        if len(COOKIE) + len(session.token) >= MAX_COOKIE_BYTES:
            message = (
                f"the token has {len(session.token)} characters; a browser keeps "
                f"{MAX_COOKIE_BYTES - len(COOKIE) - 1} at most. Ask for one with fewer groups"
            )
            raise InvalidToken(message, reason="TokenTooLong")
        console_metrics.SIGN_INS.labels("done").inc()
        left = max(0, session.claims.expires_at - int(self._clock()))
        response.set_cookie(
            COOKIE, session.token, max_age=left, path="/", secure=True, httponly=True,
            samesite="Strict",
        )  # fmt: skip

    async def end(self, response: web.StreamResponse, session: Session | None) -> None:
        """Have the browser forget it, and everybody refuse its token from now on.

        Raises KubeError or SignOutRefused; then the browser alone forgets it.
        """
        forget(response)
        if session is not None:
            await self._signed_out.add(session.claims)
            logger.info("%s signed out", session.claims.subject)


def forget(response: web.StreamResponse) -> None:
    """Take the cookie away."""
    response.set_cookie(
        COOKIE, "", max_age=0, path="/", secure=True, httponly=True, samesite="Strict"
    )
