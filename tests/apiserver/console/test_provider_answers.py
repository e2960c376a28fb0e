"""Responses of the OpenID provider, genuine or forged."""

import pytest

from dev.console.server import ConsoleProcess
from roadstead.console.auth.authorization import COOKIE as ATTEMPT
from roadstead.console.auth.authorization import LoginAttempt
from tests.support.console_browser import Browser


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("code=x&state=other", "another sign-in"),
        ("state={state}", "no code"),
        ("code=x&state={state}&iss=https://evil.example", "another issuer"),
        ("error=access_denied&state={state}", "access_denied"),
        ("code=guessed&state={state}", "it refused (400)"),
    ],
)
async def test_invalid_response_is_refused(
    provided: ConsoleProcess, query: str, message: str
) -> None:
    attempt = LoginAttempt.begin("/servers")
    async with Browser(provided.origin) as browser:
        answer = await browser.get(
            "/oidc/callback?" + query.format(state=attempt.state),
            Cookie=f"{ATTEMPT}={attempt.cookie()}",
        )
    assert answer.status == 403
    assert message in answer.text


async def test_callback_without_sign_in_is_refused(provided: ConsoleProcess) -> None:
    async with Browser(provided.origin) as browser:
        answer = await browser.get("/oidc/callback?code=x&state=y")
    assert "no sign-in was started" in answer.text.lower()
