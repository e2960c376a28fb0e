"""The HTTP endpoints of both webhooks: each request is answered with an AdmissionReview."""

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
from roadstead_webhooks.admission.restoring import RESTORED
from roadstead_webhooks.admission.review import (
    MAX_BYTES,
    AdmissionAnswer,
    AdmissionRequest,
    BadReview,
    claimed_namespace,
    claimed_uid,
    effort,
    parse,
    to_review,
)
from roadstead_webhooks.admission.validating import deny

logger = logging.getLogger(__name__)

DEFAULT_SECONDS: Final = 8.0
_MARGIN: Final = 0.8
"""Share of the API server's timeout, so that the answer still arrives in time."""
_BODY_SECONDS: Final = 10.0
_MOST_READ: Final = 8 * 2**20
"""Bytes. The API server accepts 3 MiB, serializes them to up to 6, and adds the old object."""
TOO_MANY_PAUSE_SECONDS: Final = 1.0
"""How long the answer to a review above the limit of large ones is delayed."""
_TIMEOUT: Final = re.compile(r"([0-9]{1,4})(ms|s)")

Decide = Callable[[AdmissionRequest], Awaitable[AdmissionAnswer]]


class Decisions(Protocol):
    """Both webhooks, without HTTP. Methods raise KubeError if a request can't be decided."""

    async def mutate(self, request: AdmissionRequest) -> AdmissionAnswer:
        """Return the mutating webhook's answer."""

    async def validate(self, request: AdmissionRequest) -> AdmissionAnswer:
        """Return the validating webhook's answer."""


class Endpoints:
    """`/mutate` and `/validate`, with or without a secret after them."""

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
        """Whether connections are closed after their next answer."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for an aiohttp application."""
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
        if not self._callers.trusts(http):
            webhook_metrics.BAD_REVIEWS.labels(str(HTTPStatus.FORBIDDEN.value)).inc()
            return _forbid()
        try:
            response = await self._answer(http, webhook, decide)
        finally:
            if http.transport is None or http.transport.is_closing():
                self._exposure.mark()
        if self.draining:
            response.force_close()
        return response

    async def _answer(self, http: web.Request, webhook: str, decide: Decide) -> web.Response:
        body = b""
        try:
            body = await _read_body(http)
            size = effort(body)
            async with self._offload.admitting(size, namespace=claimed_namespace(body)):
                request = await self._offload.run(size, parse, body)
                return await self._review(http, request, webhook, decide)
        except BadReview as error:
            webhook_metrics.BAD_REVIEWS.labels(str(error.status)).inc()
            return _reject(error, body)
        except TooManyReviews:
            webhook_metrics.BAD_REVIEWS.labels(str(HTTPStatus.TOO_MANY_REQUESTS.value)).inc()
            response = _reject(_TOO_MANY, body)
        del body
        # A sender that retries at once would keep the API server busy with decoding.
        await asyncio.sleep(TOO_MANY_PAUSE_SECONDS)
        return response

    async def _review(
        self, http: web.Request, request: AdmissionRequest, webhook: str, decide: Decide
    ) -> web.Response:
        started = time.perf_counter()
        with logs.about(f"{request.kind.lower()}/{request.namespace}/{request.name}"):
            answer = await decide_within(request, decide, time_left(http.query.get("timeout", "")))
            if not answer.allowed:
                self._denials.report(request, answer)
            elif answer.reason == RESTORED:
                self._denials.report_restoration(request, answer)
            if self._records is not None:
                self._records.note(webhook, request, answer)
        webhook_metrics.ADMISSION_SECONDS.labels(webhook).observe(time.perf_counter() - started)
        verdict = "allowed" if answer.allowed else "denied"
        webhook_metrics.ADMISSIONS.labels(
            webhook, request.kind or "other", request.operation, verdict, answer.reason
        ).inc()
        return web.json_response(to_review(request.uid, answer))


async def decide_within(
    request: AdmissionRequest, decide: Decide, seconds: float
) -> AdmissionAnswer:
    """Return the answer; a request that can't be decided within `seconds` is denied."""
    try:
        async with asyncio.timeout(seconds):
            return await decide(request)
    except TimeoutError:
        message = f"the request could not be decided within {seconds:g} s; retry"
        return deny("Timeout", message, code=504)
    except KubeError as error:
        logger.warning("an admission request could not be decided: %s", error)
        message = "the API server did not answer the webhook's own request; retry"
        return deny("Unavailable", message, code=503)
    except Exception:
        # Without this the API server would return the traceback to the caller.
        logger.exception("an admission request failed")
        return deny("InternalError", "the webhook failed; see its log", code=500)


_TOO_MANY: Final = BadReview(
    "too many large objects are being reviewed at the moment; retry", status=429
)
_REASONS: Final = {413: "ObjectTooLarge", 429: "TooManyLargeObjects"}


def _reject(error: BadReview, body: bytes) -> web.Response:
    """Return a denial for sizes, so that the caller gets the message; else an HTTP error."""
    reason = _REASONS.get(error.status, "")
    uid = claimed_uid(body) if reason else ""
    if not uid:
        return web.Response(status=error.status, text=f"{error}\n")
    return web.json_response(to_review(uid, deny(reason, str(error), code=error.status)))


def _forbid() -> web.Response:
    """Return 403 and close the connection; the body is not read."""
    response = web.Response(
        status=HTTPStatus.FORBIDDEN,
        text="only the API server may send requests, to the URL in the webhook configurations\n",
    )
    response.force_close()
    return response


async def _read_body(http: web.Request) -> bytes:
    """Read the body; of a body that is too large, only the beginning is kept."""
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
        raise BadReview(f"no complete body within {_BODY_SECONDS:g} s", status=408) from None
    return bytes(body)


def time_left(text: str) -> float:
    """Return the seconds to decide in, from the API server's `timeout`: `10s`, `500ms`."""
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        return DEFAULT_SECONDS
    given = int(match[1]) / (1000 if match[2] == "ms" else 1)
    return max(0.1, min(30.0, given) * _MARGIN)
