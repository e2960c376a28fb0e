"""What the OpenID provider, or somebody in its place, sends a browser back with."""

import pytest

from dev.console.server import ConsoleProcess
from roadstead.console.authorization import COOKIE as ATTEMPT
from roadstead.console.authorization import LoginAttempt
from tests.support.console_browser import Browser


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("code=x&state=other", "another sign-in"),
        ("state={state}", "no code"),
        ("code=x&state={state}&iss=https://evil.example", "another issuer"),
        ("error=access_denied&state={state}", "access_denied"),
        ("code=guessed&state={state}", "it refused (400)"),
    ],
)
async def test_answer_that_does_not_hold_signs_nobody_in(
    provided: ConsoleProcess, query: str, words: str
) -> None:
    attempt = LoginAttempt.begin("/servers")
    async with Browser(provided.origin) as browser:
        answer = await browser.get(
            "/oidc/callback?" + query.format(state=attempt.state),
            Cookie=f"{ATTEMPT}={attempt.cookie()}",
        )
    assert answer.status == 403
    assert words in answer.text


async def test_browser_that_began_no_sign_in_is_not_signed_in(provided: ConsoleProcess) -> None:
    async with Browser(provided.origin) as browser:
        answer = await browser.get("/oidc/callback?code=x&state=y")
    assert "no sign-in has begun" in answer.text.lower()
