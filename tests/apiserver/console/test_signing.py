"""Sign-in, sessions and sign-out."""

import re
import secrets
import time

import pytest

from dev.console.server import ConsoleProcess
from dev.console.tokens import make_token
from roadstead.tokens.ended_sessions import MAX_SESSIONS_OF_ONE
from roadstead.tokens.sessions import COOKIE
from tests.support.console_browser import Browser
from tests.support.waiting import assert_eventually


async def test_page_redirects_to_sign_in_with_its_path(browser: Browser) -> None:
    answer = await browser.get("/models?q=gemma")
    assert answer.status == 303
    assert answer.headers["Location"] == "/sign-in?next=%2Fmodels%3Fq%3Dgemma"


async def test_cookie_is_protected_from_scripts_and_other_sites(
    browser: Browser,
) -> None:
    answer = await browser.sign_in("alice")
    flags = set(answer.headers["Set-Cookie"].split("; ")[1:])
    assert answer.headers["Set-Cookie"].startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= flags
    assert not any(flag.startswith("Domain") for flag in flags)


async def test_cookie_lasts_as_long_as_the_token(browser: Browser) -> None:
    answer = await browser.sign_in("alice")
    age = re.search("Max-Age=([0-9]+)", answer.headers["Set-Cookie"])
    assert age is not None
    assert 0 < int(age[1]) <= 600


async def test_forged_token_is_refused_and_not_quoted(browser: Browser) -> None:
    token = make_token()[:-4] + "AAAA"
    answer = await browser.ask("POST", "/sign-in", data={"token": token})
    assert answer.status == 403
    assert "signature does not match" in answer.text
    assert token not in answer.text


async def test_token_too_large_for_cookies_is_refused(browser: Browser) -> None:
    answer = await browser.sign_in("alice", *(secrets.token_hex(20) for _ in range(100)))
    assert answer.status == 403
    assert "fewer groups" in answer.text


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_sign_in_never_redirects_to_another_site(browser: Browser, target: str) -> None:
    form = {"token": make_token(), "next": target}
    answer = await browser.ask("POST", "/sign-in", data=form)
    assert answer.headers["Location"] == "/servers"


async def test_token_in_url_or_header_is_not_a_session(browser: Browser) -> None:
    assert (await browser.get(f"/servers?token={make_token()}")).status == 303
    assert (await browser.get("/servers", Authorization=f"Bearer {make_token()}")).status == 303


async def test_copy_of_the_cookie_is_refused_after_sign_out(alice: Browser) -> None:
    assert (await alice.get("/servers")).status == 200
    answer = await alice.ask("POST", "/sign-out")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert (await alice.get("/servers")).headers["Location"].startswith("/sign-in?ended=1")
    assert (await alice.get("/api/me")).status == 401


async def test_sign_out_ends_only_its_session(alice: Browser, bob: Browser) -> None:
    await alice.ask("POST", "/sign-out")
    assert (await bob.get("/servers")).status == 200


async def test_signed_out_token_cannot_sign_in_again(browser: Browser) -> None:
    token = make_token("carol", jti=secrets.token_hex(4))
    await browser.ask("POST", "/sign-in", data={"token": token})
    browser.cookie = token
    await browser.ask("POST", "/sign-out")
    answer = await browser.ask("POST", "/sign-in", data={"token": token})
    assert "signed out in" in answer.text


async def test_too_many_sign_outs_of_one_subject_are_reported(browser: Browser) -> None:
    for _ in range(MAX_SESSIONS_OF_ONE):
        await browser.sign_in("mallory")
        assert (await browser.ask("POST", "/sign-out")).status == 303
    await browser.sign_in("mallory")
    answer = await browser.ask("POST", "/sign-out")
    assert answer.status == 429
    assert "50 tokens of this subject" in answer.text
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


async def test_session_ends_when_its_token_expires(browser: Browser) -> None:
    await browser.sign_in("alice", "demo-users", exp=_now() - 25, iat=_now() - 60)

    async def ended() -> bool:
        return (await browser.get("/api/me")).status == 401

    await assert_eventually(ended)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "", "Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/sign-in"), ("POST", "/sign-out"), ("POST", "/api/servers"), ("POST", "/servers")],
)
async def test_write_from_another_site_is_refused(
    alice: Browser, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = await alice.ask(method, path, data={}, headers=headers)
    assert answer.status in (403, 404, 405)
    assert (await alice.get("/servers")).status == 200


async def test_log_contains_no_token(alice: Browser, console: ConsoleProcess) -> None:
    await alice.get("/servers")
    await alice.ask("POST", "/sign-out")
    assert alice.cookie[-40:] not in console.log.read_text()


def _now() -> int:
    return int(time.time())
