"""The operator's probe and the console's cookie."""

from __future__ import annotations

import pytest

from tests.support.builders import tokens
from tests.unit.forwardauth.questions import (
    CHAT,
    KEY,
    ORIGIN,
    OTHER,
    SERVER,
    Pairs,
    Site,
    asked,
    bearer,
    token,
    verdict,
)

COOKIE = "__Host-roadstead-session"


async def test_probe_is_allowed_for_the_health_of_its_server() -> None:
    shown = ("Authorization", f"Roadstead-Probe {KEY.probe(SERVER, now=tokens.NOW)}")
    assert await verdict(Site(), shown, method="GET", path="/health") == (200, "Probe")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/health"), ("HEAD", "/health"), ("GET", CHAT), ("GET", ""), ("GET", "/health/")],
)
async def test_probe_is_rejected_for_other_requests(method: str, path: str) -> None:
    shown = ("Authorization", f"Roadstead-Probe {KEY.probe(SERVER, now=tokens.NOW)}")
    assert await verdict(Site(), shown, method=method, path=path) == (401, "ProbeInvalid")


async def test_probe_is_rejected_before_callers_are_allowed() -> None:
    shown = ("Authorization", f"Roadstead-Probe {KEY.probe(OTHER, now=tokens.NOW)}")
    question = asked(shown, method="GET", path="/health", server=OTHER)
    answer = await Site().endpoint.answer(question, OTHER)
    assert (answer.verdict.status, answer.verdict.reason) == (503, "ServerUnknown")


async def test_probe_of_another_server_is_rejected() -> None:
    shown = ("Authorization", f"Roadstead-Probe {KEY.probe(OTHER, now=tokens.NOW)}")
    assert await verdict(Site(), shown, method="GET", path="/health") == (401, "ProbeInvalid")


SITE, DEST = ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Dest", "empty")


@pytest.mark.parametrize("more", [[], [("Origin", ORIGIN)]], ids=["by GET", "by POST"])
async def test_session_cookie_is_valid_for_requests_of_the_consoles_pages(more: Pairs) -> None:
    shown = [("Cookie", f"a=b; {COOKIE}={token()}"), SITE, DEST, *more]
    assert await verdict(Site(), *shown) == (200, "Allowed")


@pytest.mark.parametrize(
    "dest",
    [
        *("document", "iframe", "frame", "embed", "object", "script", "style", "image", "font"),
        *("worker", "sharedworker", "serviceworker", "audioworklet", "manifest", "Empty", ""),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_session_cookie_is_invalid_for_content_that_a_browser_runs_or_shows(
    dest: str, method: str
) -> None:
    shown = [("Cookie", f"{COOKIE}={token()}"), SITE, ("Sec-Fetch-Dest", dest)]
    assert await verdict(Site(), *shown, method=method) == (403, "CrossOrigin")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_session_cookie_is_invalid_if_the_console_has_its_own_host(method: str) -> None:
    shown = [("Cookie", f"{COOKIE}={token()}"), SITE, DEST]
    assert await verdict(Site(origin=""), *shown, method=method) == (403, "CrossOrigin")


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [("Origin", "https://evil.example.com")],
        [("Origin", "null")],
        [("Origin", ORIGIN), ("Origin", ORIGIN)],
        [("Origin", ORIGIN + ".evil.com")],
        [("Origin", ORIGIN)],
        [DEST],
        [SITE],
        [("Sec-Fetch-Site", "same-site"), DEST],
        [("Sec-Fetch-Site", "none"), DEST],
        [("Sec-Fetch-Site", "cross-site"), DEST, ("Origin", ORIGIN)],
        [SITE, DEST, ("Origin", "https://evil.example.com")],
        [SITE, DEST, ("Origin", "null")],
        [SITE, ("Sec-Fetch-Site", "none"), DEST],
        [SITE, DEST, DEST],
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_session_cookie_is_invalid_for_requests_of_another_site(
    sent: Pairs, method: str
) -> None:
    shown = [("Cookie", f"{COOKIE}={token()}"), *sent]
    assert await verdict(Site(), *shown, method=method) == (403, "CrossOrigin")


async def test_token_in_the_header_is_valid_from_any_origin() -> None:
    shown = [bearer(token()), ("Origin", "https://tool.example.com")]
    assert await verdict(Site(), *shown) == (200, "Allowed")


async def test_invalid_token_in_the_header_is_rejected_despite_a_cookie() -> None:
    shown = [bearer("a.b.c"), ("Cookie", f"{COOKIE}={token()}"), ("Origin", ORIGIN)]
    assert (await verdict(Site(), *shown))[0] == 401
