"""The HTTP side of both webhooks: a body in, an AdmissionReview out, whatever happens between."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, Protocol

from aiohttp import web

from roadstead import logs
from roadstead.errors import KubeError
from roadstead_webhooks import webhook_metrics
from roadstead_webhooks.admission.admission_records import AdmissionRecords
from roadstead_webhooks.admission.callers import Callers
from roadstead_webhooks.admission.denials import Denials
from roadstead_webhooks.admission.exposure import Exposure
from roadstead_webhooks.admission.offload import Offload, TooManyReviews
from roadstead_webhooks.admission.review import (
    MAX_BYTES,
    AdmissionAnswer,
    AdmissionRequest,
    BadReview,
    claimed_uid,
    effort,
    parse,
    to_review,
)
from roadstead_webhooks.admission.validating import denied

logger = logging.getLogger(__name__)

DEFAULT_SECONDS: Final = 8.0
_MARGIN: Final = 0.8
"""Of the API server's own timeout: the answer must still reach it."""
_BODY_SECONDS: Final = 10.0
_MOST_READ: Final = 8 * 2**20
"""The API server takes 3 MiB, writes them as up to six, and has an old object besides."""
_TIMEOUT: Final = re.compile(r"([0-9]{1,4})(ms|s)")

Decide = Callable[[AdmissionRequest], Awaitable[AdmissionAnswer]]


class Decisions(Protocol):
    """What is answered, HTTP apart; KubeError where it can't be told."""

    async def mutate(self, request: AdmissionRequest) -> AdmissionAnswer:
        """The mutating webhook's answer."""

    async def validate(self, request: AdmissionRequest) -> AdmissionAnswer:
        """The validating webhook's answer."""


class Endpoints:
    """`/mutate` and `/validate`, each with the secret after it where callers are known by one."""

    def __init__(
        self,
        callers: Callers,
        exposure: Exposure,
        decisions: Decisions,
        denials: Denials,
        offload: Offload,
        records: AdmissionRecords | None = None,
    ) -> None:
        self._callers = callers
        self._exposure = exposure
        self._decisions = decisions
        self._offload = offload
        self._denials = denials
        self._records = records
        self.draining = False
        """Whether connections are to be closed after their next answer."""

    def routes(self) -> list[web.RouteDef]:
        """For an aiohttp application."""
        return [
            web.post("/mutate", self._mutate),
            web.post("/mutate/{secret}", self._mutate),
            web.post("/validate", self._validate),
            web.post("/validate/{secret}", self._validate),
        ]

    async def _mutate(self, http: web.Request) -> web.Response:
        return await self._serve(http, "mutating", self._decisions.mutate)

    async def _validate(self, http: web.Request) -> web.Response:
        return await self._serve(http, "validating", self._decisions.validate)

    async def _serve(self, http: web.Request, webhook: str, decide: Decide) -> web.Response:
        if not self._callers.believes(http):
            webhook_metrics.BAD_REVIEWS.labels(str(HTTPStatus.FORBIDDEN.value)).inc()
            return _disbelieved()
        try:
            response = await self._answered(http, webhook, decide)
        finally:
            if http.transport is None or http.transport.is_closing():
                self._exposure.mark()
        if self.draining:
            response.force_close()
        return response

    async def _answered(self, http: web.Request, webhook: str, decide: Decide) -> web.Response:
        body = b""
        try:
            body = await _body(http)
            size = effort(body)
            with self._offload.admitting(size):
                request = await self._offload.run(size, parse, body)
                return await self._reviewed(http, request, webhook, decide)
        except BadReview as error:
            webhook_metrics.BAD_REVIEWS.labels(str(error.status)).inc()
            return _refused(error, body)
        except TooManyReviews:
            webhook_metrics.BAD_REVIEWS.labels(str(HTTPStatus.TOO_MANY_REQUESTS.value)).inc()
            return _refused(_TOO_MANY, body)

    async def _reviewed(
        self, http: web.Request, request: AdmissionRequest, webhook: str, decide: Decide
    ) -> web.Response:
        started = time.perf_counter()
        with logs.about(f"{request.kind.lower()}/{request.namespace}/{request.name}"):
            answer = await decided(request, decide, time_left(http.query.get("timeout", "")))
            if not answer.allowed:
                self._denials.tell(request, answer)
            if self._records is not None:
                self._records.note(webhook, request, answer)
        webhook_metrics.ADMISSION_SECONDS.labels(webhook).observe(time.perf_counter() - started)
        verdict = "allowed" if answer.allowed else "denied"
        webhook_metrics.ADMISSIONS.labels(
            webhook, request.kind or "other", request.operation, verdict, answer.reason
        ).inc()
        return web.json_response(to_review(request.uid, answer))


async def decided(request: AdmissionRequest, decide: Decide, seconds: float) -> AdmissionAnswer:
    """The answer; what can't be told in time, or at all, is denied."""
    try:
        async with asyncio.timeout(seconds):
            return await decide(request)
    except TimeoutError:
        return denied("Timeout", f"it could not be told within {seconds:g} s; try again", code=504)
    except KubeError as error:
        logger.warning("an admission could not be told: %s", error)
        message = "the API server did not answer what the webhook had to ask; try again"
        return denied("Unavailable", message, code=503)
    except Exception:
        # The API server would call it a failure too, but tell the caller what the trace says.
        logger.exception("an admission failed")
        return denied("InternalError", "the webhook failed; its log says why", code=500)


_TOO_MANY: Final = BadReview(
    "too many large objects are being admitted at this moment; try again", status=429
)
_REASONS: Final = {413: "ObjectTooLarge", 429: "TooManyLargeObjects"}


def _refused(error: BadReview, body: bytes) -> web.Response:
    """What is about the object's size is denied, so that its sender is told; else HTTP's errors."""
    reason = _REASONS.get(error.status, "")
    uid = claimed_uid(body) if reason else ""
    if not uid:
        return web.Response(status=error.status, text=f"{error}\n")
    return web.json_response(to_review(uid, denied(reason, str(error), code=error.status)))


def _disbelieved() -> web.Response:
    """The end of a connection: its body is not read."""
    response = web.Response(
        status=HTTPStatus.FORBIDDEN,
        text="only the API server is answered, at the address in the webhook configurations\n",
    )
    response.force_close()
    return response


async def _body(http: web.Request) -> bytes:
    """The body, of one that is too large no more than tells that it is."""
    if http.content_type != "application/json":
        raise BadReview("the content type is not application/json", status=415)
    body, length = bytearray(), 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in http.content.iter_any():
                length += len(chunk)
                body += chunk[: MAX_BYTES + 1 - len(body)]
                if length > _MOST_READ:
                    raise BadReview(f"the body is larger than {_MOST_READ} bytes", status=413)
    except TimeoutError:
        raise BadReview("the body did not come in time", status=408) from None
    return bytes(body)


def time_left(text: str) -> float:
    """How long there is, by the `timeout` that the API server appends: `10s`, `500ms`."""
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        return DEFAULT_SECONDS
    given = int(match[1]) / (1000 if match[2] == "ms" else 1)
    return max(0.1, min(30.0, given) * _MARGIN)
