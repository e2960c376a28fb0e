"""`/verify/<uuid>`: a question in, an answer out, whatever happens between."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import time
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from aiohttp import web

from roadstead.errors import InvalidToken
from roadstead.tokens.claims import Claims
from roadstead.tokens.gateway_keys import GatewayKey
from roadstead.tokens.sessions import Headers, only
from roadstead_webhooks.forwardauth import auth_metrics
from roadstead_webhooks.forwardauth.accesslog import AccessLog
from roadstead_webhooks.forwardauth.auth_responses import (
    SERVER,
    AuthResponse,
    passed,
    refused,
    with_origin,
)
from roadstead_webhooks.forwardauth.credentials import (
    HOW_TO_SEND,
    Credential,
    Source,
    is_own_fetch,
    read_credential,
)
from roadstead_webhooks.forwardauth.forwarded import (
    BadQuestion,
    Forwarded,
    asked_server,
    read_forwarded,
    read_method,
)
from roadstead_webhooks.forwardauth.paths import is_served, refusal
from roadstead_webhooks.forwardauth.server_index import Servers
from roadstead_webhooks.forwardauth.verdict import AuthVerdict, judge
from roadstead_webhooks.forwardauth.verdicts import Verdicts, key_of

logger = logging.getLogger(__name__)

HEALTH: Final = "/health"
_NOT_BY_COOKIE: Final = (
    "a session of the console counts here for what its own pages fetch alone: open the server in "
    f"the console; for your own token: {HOW_TO_SEND}"
)


class CallerTokens(Protocol):
    """Verifies callers' tokens; InvalidToken, and nothing else."""

    @property
    def changes(self) -> int:
        """Grows whenever the keys become others."""
        ...

    async def verify(self, token: str, *, now: int) -> Claims:
        """What a token says that holds at `now`, in seconds since 1970."""
        ...


class VerifyEndpoint:
    """Answers from memory; only a token whose key is not known yet may wait for its issuer.

    `unavailable` says why nothing can be told, as reason and message, or None.
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
        clock: Callable[[], datetime.datetime],
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
        """Whether connections are to be closed after their next answer."""

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """For aiohttp's low-level server."""
        started = time.perf_counter()
        server_uuid = asked_server(request.raw_path)
        if server_uuid is None:
            return web.Response(
                status=404,
                text="there is nothing here but /verify/<uuid>\n",
                headers={"Server": SERVER},
            )
        answer = await self.answer(request.headers, server_uuid)
        seconds = time.perf_counter() - started
        self._tell(answer.verdict, request.headers, server_uuid, seconds)
        response = web.Response(
            status=answer.verdict.status, headers=answer.headers, body=answer.body
        )
        if self.draining:
            response.force_close()
        return response

    async def answer(self, headers: Headers, server_uuid: str) -> AuthResponse:
        """The answer to a question about one server; never raises."""
        try:
            return await self._answer(headers, server_uuid)
        except BadQuestion as error:
            return refused(AuthVerdict(status=400, reason=error.reason, message=str(error)))
        except InvalidToken as error:
            # Who is revoked is known, and a new token would not help: 403.
            status = 403 if error.reason == "TokenRevoked" else 401
            return refused(AuthVerdict(status=status, reason=error.reason, message=str(error)))
        except Exception:
            logger.exception("a verdict failed")
            message = "the verdict failed; the log of forward auth says why"
            return refused(AuthVerdict(status=500, reason="InternalError", message=message))

    async def _answer(self, headers: Headers, server_uuid: str) -> AuthResponse:
        if wrong := self._unavailable():
            reason, message = wrong
            return refused(AuthVerdict(status=503, reason=reason, message=message))
        forwarded = read_forwarded(headers, server_uuid)
        credential = read_credential(headers)
        if credential is None:
            message = f"no token: {HOW_TO_SEND}"
            return refused(AuthVerdict(status=401, reason="TokenMissing", message=message))
        if credential.source is Source.PROBE:
            return self._probed(credential, forwarded, server_uuid)
        if credential.source is Source.COOKIE and not is_own_fetch(headers, origin=self._origin):
            return refused(AuthVerdict(status=403, reason="CrossOrigin", message=_NOT_BY_COOKIE))
        answer = await self._judged(credential.text, server_uuid)
        answer = _of_the_mode(answer, forwarded)
        return with_origin(answer, only(headers, "Origin"), self._cors_origins)

    async def _judged(self, token: str, server_uuid: str) -> AuthResponse:
        # Taken before anything is read: what changes meanwhile makes the answer one of the past.
        key, generation, now = key_of(token, server_uuid), self._generation(), self._clock()
        seconds = int(now.timestamp())
        if known := self._verdicts.get(key, generation=generation, now=seconds):
            auth_metrics.HITS.inc()
            return known
        auth_metrics.MISSES.inc()
        claims = await self._tokens.verify(token, now=seconds)
        served = self._servers.server(server_uuid, contracts=self._contracts)
        verdict = judge(claims, served, now=now, contracts=self._contracts)
        answer = self._answered(verdict, server_uuid)
        self._verdicts.put(key, answer, generation=generation, until=verdict.until)
        auth_metrics.CACHED.set(len(self._verdicts))
        return answer

    def _probed(
        self, credential: Credential, forwarded: Forwarded, server_uuid: str
    ) -> AuthResponse:
        """The operator's own look at a server, through the gateway: at its health alone."""
        now = int(self._clock().timestamp())
        asked = (forwarded.method, forwarded.path) == ("GET", HEALTH)
        if not asked or not self._key.is_probe(credential.text, server_uuid, now=now):
            message = "the probe's credential does not hold for this"
            raise InvalidToken(message, reason="ProbeInvalid")
        if self._servers.server(server_uuid, contracts=False) is None:
            # A server counts as reached once callers are let through, not a moment before.
            message = "forward auth does not know the server yet; try again"
            return refused(AuthVerdict(status=503, reason="ServerUnknown", message=message))
        return self._answered(AuthVerdict(status=200, reason="Probe"), server_uuid)

    def _answered(self, verdict: AuthVerdict, server_uuid: str) -> AuthResponse:
        if verdict.status != 200:
            return refused(verdict)
        return passed(verdict, self._key.server_key(server_uuid))

    def _generation(self) -> Hashable:
        return self._servers.changes, self._tokens.changes

    def _tell(
        self, verdict: AuthVerdict, headers: Headers, server_uuid: str, seconds: float
    ) -> None:
        auth_metrics.SECONDS.observe(seconds)
        auth_metrics.VERDICTS.labels(verdict.word, verdict.reason).inc()
        method = read_method(headers)
        self._log.note(verdict, server_uuid=server_uuid, method=method or "", seconds=seconds)


def _of_the_mode(answer: AuthResponse, forwarded: Forwarded) -> AuthResponse:
    """404 for whoever may use the server, and asks it for what it does not answer.

    Not before the verdict: whoever may not use the server learns nothing of it, its mode included.
    """
    verdict = answer.verdict
    if verdict.status != 200 or is_served(verdict.mode, forwarded.method, forwarded.path):
        return answer
    reason = "PathNotServed"
    return refused(
        dataclasses.replace(
            verdict, status=404, reason=reason, code=reason, message=refusal(verdict.mode), until=0
        )
    )
