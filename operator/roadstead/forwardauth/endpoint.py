"""The HTTP endpoint `/verify/<uuid>`, which the gateway calls for each request."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from aiohttp import web

from roadstead.clocks import Clock
from roadstead.errors import InvalidToken
from roadstead.forwardauth import auth_metrics
from roadstead.forwardauth.accesslog import AccessLog
from roadstead.forwardauth.auth_responses import (
    SERVER,
    AuthResponse,
    allow,
    reject,
    with_origin,
)
from roadstead.forwardauth.credentials import (
    HOW_TO_SEND,
    Credential,
    Source,
    is_own_fetch,
    read_credential,
)
from roadstead.forwardauth.forwarded import (
    BadQuestion,
    Forwarded,
    parse_server_uuid,
    read_forwarded,
    read_method,
)
from roadstead.forwardauth.paths import describe_mode, is_served
from roadstead.forwardauth.server_index import Servers
from roadstead.forwardauth.verdict import AuthVerdict, judge
from roadstead.forwardauth.verdicts import Verdicts, key_of
from roadstead.tokens.claims import Claims
from roadstead.tokens.gateway_keys import GatewayKey
from roadstead.tokens.sessions import Headers, only

logger = logging.getLogger(__name__)

HEALTH: Final = "/health"
_NOT_BY_COOKIE: Final = (
    "a console session is valid here only for requests of the console's pages: open the server in "
    f"the console; if you have a token: {HOW_TO_SEND}"
)


class CallerTokens(Protocol):
    """Verifies callers' tokens; raises nothing but InvalidToken."""

    @property
    def changes(self) -> int:
        """A counter that increases when the keys change."""
        ...

    async def verify(self, token: str, *, now: int) -> Claims:
        """Return the claims of a token that is valid at `now`, in seconds since 1970."""
        ...


class VerifyEndpoint:
    """Answers from memory; only a token with an unknown key may wait for its issuer.

    `unavailable` returns why no verdict is possible, as reason and message, or None.
    """

    def __init__(
        self,
        tokens: CallerTokens,
        servers: Servers,
        key: GatewayKey,
        log: AccessLog,
        *,
        origin: str,
        cors_origins: frozenset[str],
        contracts: bool,
        unavailable: Callable[[], tuple[str, str] | None],
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._servers = servers
        self._key = key
        self._log = log
        self._origin = origin
        self._cors_origins = cors_origins
        self._contracts = contracts
        self._unavailable = unavailable
        self._clock = clock
        self._verdicts: Verdicts[AuthResponse] = Verdicts()
        self.draining = False
        """Whether connections are closed after their next answer."""

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Handle a request of aiohttp's low-level server."""
        started = time.perf_counter()
        server_uuid = parse_server_uuid(request.raw_path)
        if server_uuid is None:
            return web.Response(
                status=404,
                text="not found: expected /verify/<uuid>\n",
                headers={"Server": SERVER},
            )
        answer = await self.answer(request.headers, server_uuid)
        seconds = time.perf_counter() - started
        self._record(answer.verdict, request.headers, server_uuid, seconds)
        response = web.Response(
            status=answer.verdict.status, headers=answer.headers, body=answer.body
        )
        if self.draining:
            response.force_close()
        return response

    async def answer(self, headers: Headers, server_uuid: str) -> AuthResponse:
        """Return the response to a request for one server; never raises."""
        try:
            return await self._decide(headers, server_uuid)
        except BadQuestion as error:
            return reject(AuthVerdict(status=400, reason=error.reason, message=str(error)))
        except InvalidToken as error:
            # 403 if the token is revoked: the caller is known, and a new token would not help.
            status = 403 if error.reason == "TokenRevoked" else 401
            return reject(AuthVerdict(status=status, reason=error.reason, message=str(error)))
        except Exception:
            logger.exception("a verdict failed")
            message = "the verdict failed; see the log of forward auth"
            return reject(AuthVerdict(status=500, reason="InternalError", message=message))

    async def _decide(self, headers: Headers, server_uuid: str) -> AuthResponse:
        if wrong := self._unavailable():
            reason, message = wrong
            return reject(AuthVerdict(status=503, reason=reason, message=message))
        forwarded = read_forwarded(headers, server_uuid)
        credential = read_credential(headers)
        if credential is None:
            message = f"no token: {HOW_TO_SEND}"
            return reject(AuthVerdict(status=401, reason="TokenMissing", message=message))
        if credential.source is Source.PROBE:
            return self._judge_probe(credential, forwarded, server_uuid)
        if credential.source is Source.COOKIE and not is_own_fetch(headers, origin=self._origin):
            return reject(AuthVerdict(status=403, reason="CrossOrigin", message=_NOT_BY_COOKIE))
        answer = await self._judge_token(credential.text, server_uuid)
        answer = _check_mode(answer, forwarded)
        return with_origin(answer, only(headers, "Origin"), self._cors_origins)

    async def _judge_token(self, token: str, server_uuid: str) -> AuthResponse:
        # Read first: changes during the verification make the verdict outdated.
        key, generation, now = key_of(token, server_uuid), self._generation(), self._clock()
        seconds = int(now.timestamp())
        if known := self._verdicts.get(key, generation=generation, now=seconds):
            auth_metrics.HITS.inc()
            return known
        auth_metrics.MISSES.inc()
        claims = await self._tokens.verify(token, now=seconds)
        served = self._servers.server(server_uuid, contracts=self._contracts)
        verdict = judge(claims, served, now=now, contracts=self._contracts)
        answer = self._respond(verdict, server_uuid)
        self._verdicts.put(key, answer, generation=generation, until=verdict.until)
        auth_metrics.CACHED.set(len(self._verdicts))
        return answer

    def _judge_probe(
        self, credential: Credential, forwarded: Forwarded, server_uuid: str
    ) -> AuthResponse:
        """Judge the operator's probe of a server's health through the gateway."""
        now = int(self._clock().timestamp())
        asked = (forwarded.method, forwarded.path) == ("GET", HEALTH)
        if not asked or not self._key.is_probe(credential.text, server_uuid, now=now):
            message = "the probe's credential is not valid for this request"
            raise InvalidToken(message, reason="ProbeInvalid")
        if self._servers.server(server_uuid, contracts=False) is None:
            # A server is not reachable before its callers are allowed.
            message = "forward auth does not know the server yet; retry"
            return reject(AuthVerdict(status=503, reason="ServerUnknown", message=message))
        return self._respond(AuthVerdict(status=200, reason="Probe"), server_uuid)

    def _respond(self, verdict: AuthVerdict, server_uuid: str) -> AuthResponse:
        if verdict.status != 200:
            return reject(verdict)
        return allow(verdict, self._key.server_key(server_uuid))

    def _generation(self) -> Hashable:
        return self._servers.changes, self._tokens.changes

    def _record(
        self, verdict: AuthVerdict, headers: Headers, server_uuid: str, seconds: float
    ) -> None:
        auth_metrics.SECONDS.observe(seconds)
        auth_metrics.VERDICTS.labels(verdict.label, verdict.reason).inc()
        method = read_method(headers)
        self._log.note(verdict, server_uuid=server_uuid, method=method or "", seconds=seconds)


def _check_mode(answer: AuthResponse, forwarded: Forwarded) -> AuthResponse:
    """Return 404 if the caller is allowed but the server's mode doesn't serve the request.

    Checked after the verdict, so that callers who are denied don't learn the mode.
    """
    verdict = answer.verdict
    if verdict.status != 200 or is_served(verdict.mode, forwarded.method, forwarded.path):
        return answer
    reason = "PathNotServed"
    return reject(
        dataclasses.replace(
            verdict,
            status=404,
            reason=reason,
            code=reason,
            message=describe_mode(verdict.mode),
            until=0,
        )
    )
