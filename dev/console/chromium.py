"""A real Chromium without a window, and what axe-core says of a page in it."""

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
# It asks Google for this and that at every start, which a closed network refuses.
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
PATIENCE: Final = 60_000
"""Milliseconds that a page may take on a busy machine."""
PHONE: Final = {"width": 390, "height": 844}
DESK: Final = {"width": 1280, "height": 860}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's, installed where it is missing."""
    debian.ensure("chromium", "fonts-dejavu-core")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page with a profile of its own; what goes wrong in its scripts fails the test.

    The gateway's certificate is of the local cluster's own authority, which others test.
    """
    faults: list[str] = []
    context = browser.new_context(ignore_https_errors=True, **{"viewport": DESK, **options})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if is_refusal(said.text) else None)
    try:
        yield page
    finally:
        context.close()
    assert not faults, faults


def is_refusal(text: str) -> bool:
    """Whether the browser says that the page's own policy kept something from it."""
    return "Content Security Policy" in text or "Refused to" in text


def faults_of(page: Page) -> list[str]:
    """What axe-core finds serious, as rule and element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']}: {node.get('failureSummary', '')}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def sign_in(page: Page, origin: str, token: str) -> None:
    """Paste a token and wait for the servers."""
    page.goto(f"{origin}/servers")
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/servers")


def cookie_of(context: BrowserContext) -> str:
    """The session's, as somebody who copied it has it."""
    return next(str(each["value"]) for each in context.cookies() if "session" in each["name"])
