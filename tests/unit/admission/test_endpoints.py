"""The HTTP endpoints with slow and failing decisions, and without an API server."""

from __future__ import annotations

import asyncio

import pytest

from roadstead.errors import KubeUnavailable
from roadstead_webhooks.admission.endpoints import DEFAULT_SECONDS, Decide, decide_within, time_left
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest
from tests.support.builders.reviews import request, thing


async def _slow(_: AdmissionRequest) -> AdmissionAnswer:
    await asyncio.sleep(60)
    raise AssertionError("it was waited for")


async def _away(_: AdmissionRequest) -> AdmissionAnswer:
    raise KubeUnavailable("GET /secret-path: no answer", status=0)


async def _broken(_: AdmissionRequest) -> AdmissionAnswer:
    raise RuntimeError("secret detail")


@pytest.mark.parametrize(
    ("decide", "code"), [(_slow, 504), (_away, 503), (_broken, 500)], ids=["slow", "away", "broken"]
)
async def test_failed_decision_is_denied_without_internal_details(
    decide: Decide, code: int
) -> None:
    answer = await decide_within(request("CREATE", thing()), decide, 0.01)
    assert (answer.allowed, answer.code) == (False, code)
    assert "secret" not in answer.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10s", 8.0),
        ("500ms", 0.4),
        ("3600s", 24.0),
        ("0s", 0.1),
        ("", DEFAULT_SECONDS),
        ("1h", DEFAULT_SECONDS),
        ("-1s", DEFAULT_SECONDS),
    ],
)
def test_answer_is_sent_within_the_api_servers_timeout(text: str, expected: float) -> None:
    assert time_left(text) == pytest.approx(expected)
