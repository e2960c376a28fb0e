"""The Origin in the response to the gateway, for requests of other sites' pages."""

from __future__ import annotations

import pytest

from tests.unit.forwardauth.questions import (
    APP,
    ORIGIN,
    SERVER,
    Pairs,
    Site,
    asked,
    bearer,
    token,
    verdict,
)

PREFLIGHT: Pairs = [("Origin", APP), ("Access-Control-Request-Method", "POST")]


async def kept(site: Site, *headers: tuple[str, str]) -> str | None:
    """Return the Origin in the response, which the gateway forwards."""
    answer = await site.endpoint.answer(asked(*headers), SERVER)
    return answer.headers.get("Origin")


async def test_listed_origin_is_returned_for_an_allowed_request() -> None:
    assert await kept(Site(), bearer(token()), ("Origin", APP)) == APP


@pytest.mark.parametrize(
    "others",
    [
        [],
        [("Origin", "https://evil.example.com")],
        [("Origin", "null")],
        [("Origin", "*")],
        [("Origin", f"{APP}/")],
        [("Origin", f"{APP}.evil.com")],
        [("Origin", APP.upper())],
        [("Origin", f"http{APP.removeprefix('https')}")],
        [("Origin", APP), ("Origin", APP)],
        [("Origin", ORIGIN)],
    ],
    ids=str,
)
async def test_other_origins_are_not_returned(others: Pairs) -> None:
    assert await kept(Site(), bearer(token()), *others) is None


async def test_origin_is_not_cached_between_requests() -> None:
    site = Site()
    assert await kept(site, bearer(token()), ("Origin", APP)) == APP
    assert await kept(site, bearer(token())) is None
    assert site.tokens.asked == 1


async def test_origin_is_not_returned_for_a_rejected_request() -> None:
    assert await kept(Site(), bearer(token("bob", "others")), ("Origin", APP)) is None
    assert await kept(Site(), ("Origin", APP)) is None


async def test_listed_origin_does_not_make_a_session_count() -> None:
    cookie = ("Cookie", f"__Host-roadstead-session={token()}")
    fetched = ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "empty")
    assert await verdict(Site(), cookie, *fetched, ("Origin", APP)) == (403, "CrossOrigin")


async def test_preflight_is_rejected() -> None:
    assert await verdict(Site(), *PREFLIGHT, method="OPTIONS") == (401, "TokenMissing")
    shown = bearer(token()), *PREFLIGHT
    assert await verdict(Site(), *shown, method="OPTIONS") == (404, "PathNotServed")
