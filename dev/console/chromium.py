"""Headless Chromium, and axe-core's findings about a page in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from dev import debian
from dev.console import chromium_process

PROGRAM: Final = Path(chromium_process.__file__)
"""It becomes Debian's Chromium."""
# Without these, it sends requests to Google at every start, which fail in a closed network.
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SERIOUS: Final = ("serious", "critical")
PAGE_TIMEOUT: Final = 60_000
"""Milliseconds that a page may take on a loaded machine."""
PHONE: Final = {"width": 390, "height": 844}
DESKTOP: Final = {"width": 1280, "height": 860}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium from Debian, installed if it is missing."""
    debian.ensure("chromium", "fonts-dejavu-core")
    expect.set_options(timeout=PAGE_TIMEOUT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page with its own profile; script errors and refusals fail the test.

    The gateway's certificate is issued by the local cluster's CA; other tests verify it.
    """
    faults: list[str] = []
    context = browser.new_context(ignore_https_errors=True, **{"viewport": DESKTOP, **options})
    context.set_default_timeout(PAGE_TIMEOUT)
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if is_refusal(said.text) else None)
    try:
        yield page
    finally:
        context.close()
    assert not faults, faults


def is_refusal(text: str) -> bool:
    """Whether a console message reports that the page's policy blocked something."""
    return "Content Security Policy" in text or "Refused to" in text


def serious_findings(page: Page) -> list[str]:
    """axe-core's serious findings, as rule and element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']}: {node.get('failureSummary', '')}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def sign_in(page: Page, origin: str, token: str) -> None:
    """Paste a token and wait for the page of servers."""
    page.goto(f"{origin}/servers")
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/servers")


def session_cookie(context: BrowserContext) -> str:
    """The session cookie's value, as a thief would have it."""
    return next(str(each["value"]) for each in context.cookies() if "session" in each["name"])
