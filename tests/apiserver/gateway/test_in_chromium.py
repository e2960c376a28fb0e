"""What a hostile server's answers can do in a visitor's browser, on the host that it shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from dev.console import chromium
from roadstead.tokens.sessions import COOKIE
from tests.apiserver.gateway.conftest import Host

HOSTILE_HEADERS = {
    "Set-Cookie": f"{COOKIE}=theirs; Path=/; Secure",
    "Clear-Site-Data": '"cookies", "storage"',
    "Service-Worker-Allowed": "/",
    "Strict-Transport-Security": "max-age=0",
    "Alt-Svc": 'h2="evil.example.com:443"',
    "NEL": '{"report_to": "theirs", "max_age": 600}',
    "Report-To": '{"group": "theirs", "max_age": 600, "endpoints": []}',
    "Refresh": "0; url=https://evil.example.com/",
    "WWW-Authenticate": "Basic",
    "Access-Control-Allow-Origin": "*",
    "Content-Security-Policy": "script-src * 'unsafe-inline'",
    "X-Content-Type-Options": "none",
    "Cache-Control": "public, max-age=600",
}
PAGE = """<!doctype html><title>theirs</title><p>theirs<script>
fetch(location.pathname + "?ran"); document.cookie = "theirs=1; Path=/; Secure";
</script>"""
SCRIPT = 'fetch("/api/me?ran"); if (self.document) document.title = "ran";'
ELEMENTS = {
    "frame": ("iframe", "src"),
    "embed": ("embed", "src"),
    "object": ("object", "data"),
    "script": ("script", "src"),
    "image": ("img", "src"),
    "video": ("video", "src"),
}
LOAD = """([name, attribute, url]) => {
    const element = document.createElement(name);
    element[attribute] = url;
    document.body.append(element);
}"""
STYLE = """url => {
    const link = document.createElement("link");
    Object.assign(link, {rel: "stylesheet", href: url});
    document.head.append(link);
}"""
REGISTER = """url => navigator.serviceWorker.register(url, {scope: "/"}).then(() => "", String)"""
FETCH = "async url => (await fetch(url)).text()"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, host: Host) -> Iterator[Page]:
    """On a page of the console, signed in."""
    context = browser.new_context(ignore_https_errors=True)
    context.add_cookies(
        [
            {
                "name": COOKIE,
                "value": host.token,
                "url": host.origin,
                "secure": True,
                "httpOnly": True,
                "sameSite": "Strict",
            }
        ]
    )
    context.set_default_timeout(chromium.PAGE_TIMEOUT)
    opened = context.new_page()
    opened.goto(f"{host.origin}/servers")
    assert opened.title() == "console"
    yield opened
    context.close()


@pytest.fixture
def models(host: Host) -> str:
    """An address of the hostile server that is on the list of what passes."""
    host.server.content_type, host.server.body = "text/html", PAGE.encode()
    host.server.headers = HOSTILE_HEADERS
    return f"{host.origin}/{host.uuid}/v1/models"


def cookies(context: BrowserContext) -> dict[str, str]:
    """By name."""
    return {str(each["name"]): str(each["value"]) for each in context.cookies()}


def refused(page: Page, url: str, script: str, argument: Any) -> int:
    """The status that the browser gets for what the script loads."""
    with page.expect_response(lambda response: response.url == url) as found:
        page.evaluate(script, argument)
    return found.value.status


@pytest.mark.parametrize("kind", ELEMENTS)
def test_session_loads_nothing_of_a_server_into_a_page(
    page: Page, host: Host, models: str, kind: str
) -> None:
    host.server.content_type, host.server.body = "text/javascript", SCRIPT.encode()
    assert refused(page, models, LOAD, [*ELEMENTS[kind], models]) == 403
    assert host.server.requests == []
    assert page.title() == "console"


def test_session_loads_no_style_and_no_worker_of_a_server(
    page: Page, host: Host, models: str
) -> None:
    host.server.content_type, host.server.body = "text/javascript", SCRIPT.encode()
    assert refused(page, models, STYLE, models) == 403
    assert refused(page, models, "url => { new Worker(url); }", models) == 403
    assert host.server.requests == []


def test_session_registers_no_service_worker_of_a_server(
    page: Page, host: Host, models: str
) -> None:
    host.server.content_type, host.server.body = "text/javascript", SCRIPT.encode()
    assert page.evaluate(REGISTER, models)
    assert host.server.requests == []
    assert page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0


def test_session_opens_no_page_of_a_server(page: Page, host: Host, models: str) -> None:
    opened = page.goto(models)
    assert opened is not None
    assert opened.status == 403
    with page.context.expect_page() as popup:
        page.evaluate("url => { window.open(url); }", models)
    popup.value.wait_for_load_state()
    assert host.server.requests == []


def test_answer_that_the_console_fetches_changes_nothing_of_the_host(
    page: Page, host: Host, models: str
) -> None:
    before = cookies(page.context)
    assert "theirs" in page.evaluate(FETCH, models)
    assert len(host.server.requests) == 1
    assert cookies(page.context) == before == {COOKIE: host.token}
    assert "theirs" in page.evaluate(FETCH, models)


def test_no_hostile_header_of_a_server_reaches_the_browser(page: Page, models: str) -> None:
    with page.expect_response(models) as found:
        page.evaluate(FETCH, models)
    headers = found.value.all_headers()
    for name, value in HOSTILE_HEADERS.items():
        assert headers.get(name.lower()) != value, name
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_page_of_a_server_that_is_shown_all_the_same_runs_nothing(
    browser: Browser, host: Host, models: str
) -> None:
    shown = {"Authorization": f"Bearer {host.token}"}
    context = browser.new_context(ignore_https_errors=True, extra_http_headers=shown)
    context.set_default_timeout(chromium.PAGE_TIMEOUT)
    opened = context.new_page()
    opened.goto(models)
    assert "theirs" in opened.content()
    opened.goto(f"{host.origin}/servers")
    assert not [each.target for each in host.server.requests if "ran" in each.target]
    assert cookies(context) == {}
    context.close()


def test_server_does_not_learn_of_the_session(page: Page, host: Host, models: str) -> None:
    page.evaluate(FETCH, models)
    (request,) = host.server.requests
    assert host.token not in str(request.headers)
    assert COOKIE not in str(request.headers)
