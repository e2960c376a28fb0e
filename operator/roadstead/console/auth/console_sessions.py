"""Sessions: the cookie with the token, from sign-in to sign-out, and the record of sign-outs."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from aiohttp import web

from roadstead.api.raw import Raw, section
from roadstead.console import console_metrics
from roadstead.errors import InvalidToken, KubeConflict, KubeNotFound
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import CONFIGMAPS, Resource
from roadstead.policy.contract.contract_policy import Caller
from roadstead.tokens.claims import Claims
from roadstead.tokens.ended_sessions import EndedSessions
from roadstead.tokens.sessions import COOKIE

REVOCATION_WRITE_ATTEMPTS: Final = 8

logger = logging.getLogger(__name__)
MAX_COOKIE_BYTES: Final = 4096
"""Limit of name and value together in browsers (RFC 6265, 6.1)."""


class ConfigMaps(Protocol):
    """The methods of the API client that read and write a ConfigMap."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """Read the object."""
        ...

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Apply a merge patch; with a resourceVersion it is conditional."""
        ...


class SignedOut:
    """The list of ended sessions in the ConfigMap `name`; `on_write` gets the written object.

    An entry is kept until its token expires, plus `leeway` seconds for clock skew.
    """

    def __init__(
        self,
        client: ConfigMaps,
        *,
        namespace: str,
        name: str,
        leeway: int,
        on_write: Callable[[Resource, Raw], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._leeway = leeway
        self._on_write = on_write
        self._clock = clock

    async def add(self, claims: Claims) -> None:
        """Add an ended session. Raises KubeError or SignOutRefused."""
        for attempt in range(REVOCATION_WRITE_ATTEMPTS):
            try:
                await self._add(claims)
                return
            except KubeConflict:
                if attempt == REVOCATION_WRITE_ATTEMPTS - 1:
                    raise

    async def _add(self, claims: Claims) -> None:
        raw = await self._client.get(CONFIGMAPS, self._name, self._namespace)
        ended = EndedSessions.parse(section(raw, "data"), now=int(self._clock()))
        body = {
            "metadata": {"resourceVersion": section(raw, "metadata").get("resourceVersion")},
            "data": ended.add(claims, until=claims.expires_at + self._leeway).data(),
        }
        try:
            found = await self._client.patch(
                CONFIGMAPS, self._name, body, namespace=self._namespace
            )
        except KubeNotFound:
            # It was deleted since the read: the next attempt reports that it is missing.
            raise KubeConflict("the ConfigMap of revoked tokens was deleted", status=409) from None
        # This process refuses the token at once, without waiting for the watch.
        self._on_write(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", **found})


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
