"""The pages in a real browser: accessibility, keyboard, phone, hostile names."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from dev.console import chromium, sample_ledger, samples
from dev.console.server import ConsoleProcess
from dev.console.tokens import make_token
from dev.servers.postgres import Postgres
from tests.apiserver.console.conftest import ALICES
from tests.support.builders.objects import fresh_name

UUID = ALICES["metadata"]["uid"]
PAGES = (
    *("/servers", "/servers?q=nothing-is-called-so", f"/servers/{UUID}", f"/servers/{UUID}/chat"),
    *("/models", "/contracts", "/serve", "/nowhere"),
)
HOSTILE = "<img src=x onerror=\"document.title='broken'\">"


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with chromium.chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def session(opened: Browser, console: ConsoleProcess) -> StorageState:
    """Cookies of alice, who signs in once for all tests that only read pages."""
    with chromium.window(opened) as window:
        chromium.sign_in(window, console.origin, make_token(jti=fresh_name("chromium")))
        return window.context.storage_state()


@pytest.fixture(params=["light", "dark", "phone"])
def page(opened: Browser, session: StorageState, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Signed in as alice, in light and dark mode and on a phone."""
    size = chromium.PHONE if request.param == "phone" else chromium.DESKTOP
    scheme = "dark" if request.param == "dark" else "light"
    options = {"viewport": size, "color_scheme": scheme, "storage_state": session}
    with chromium.window(opened, **options) as window:
        yield window


@pytest.fixture
def desk(opened: Browser, console: ConsoleProcess) -> Iterator[Page]:
    """Signed in as alice in a session of the test, on a desktop."""
    with chromium.window(opened) as window:
        chromium.sign_in(window, console.origin, make_token(jti=fresh_name("chromium")))
        yield window


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_accessible(page: Page, console: ConsoleProcess, path: str) -> None:
    page.goto(console.origin + path)
    assert chromium.serious_findings(page) == []


def test_sign_in_error_is_accessible(opened: Browser, console: ConsoleProcess) -> None:
    with chromium.window(opened) as window:
        window.goto(f"{console.origin}/sign-in")
        window.get_by_label("Your token").fill("nonsense")
        window.get_by_role("button", name="Sign in").click()
        expect(window.get_by_role("alert")).to_be_visible()
        assert chromium.serious_findings(window) == []


def test_dialog_and_menu_are_accessible(page: Page, console: ConsoleProcess) -> None:
    page.goto(f"{console.origin}/servers/{UUID}")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert chromium.serious_findings(page) == []
    page.keyboard.press("Escape")
    page.locator("details.who summary").click()
    assert chromium.serious_findings(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_on_a_phone(
    opened: Browser, session: StorageState, console: ConsoleProcess, path: str
) -> None:
    options = {"viewport": {"width": 360, "height": 740}, "storage_state": session}
    with chromium.window(opened, **options) as window:
        window.goto(console.origin + path)
        assert window.evaluate("document.documentElement.scrollWidth") <= 360


def test_open_page_shows_when_a_server_becomes_ready(
    desk: Page, console: ConsoleProcess, ledger: Postgres
) -> None:
    name = fresh_name("live")
    waiting = samples.ready("False", "Loading", "pod x is loading the model")
    write(ledger, samples.serve(name, conditions=waiting))
    desk.goto(f"{console.origin}/servers?q={name}")
    row = desk.get_by_role("row", name=name)
    expect(row).to_contain_text("is loading the model")
    desk.evaluate("window.same = true")
    write(ledger, samples.serve(name, version=6))
    expect(row.locator(".status")).to_have_text("Ready", timeout=60_000)
    assert desk.evaluate("window.same")


def test_refresh_keeps_input(desk: Page, console: ConsoleProcess, ledger: Postgres) -> None:
    desk.goto(f"{console.origin}/servers/{UUID}")
    desk.get_by_role("button", name="Scale").click()
    desk.get_by_label("Replicas").fill("7")
    write(ledger, samples.serve("gemma", version=50, conditions=samples.ready("False", "Loading")))
    expect(desk.locator("h1 .status")).to_have_text("Pending", timeout=60_000)
    expect(desk.get_by_label("Replicas")).to_have_value("7")
    write(ledger, samples.serve("gemma", version=51))


def test_hostile_names_and_parameters_are_not_executed(
    desk: Page, console: ConsoleProcess, ledger: Postgres
) -> None:
    hostile = samples.serve(
        fresh_name("hostile"),
        model=HOSTILE,
        params={"chatTemplate": HOSTILE, HOSTILE: [HOSTILE]},
        conditions=samples.ready("False", "Crashed", HOSTILE),
    )
    write(ledger, hostile)
    uuid = hostile["metadata"]["uid"]
    for path in ("/servers", f"/servers/{uuid}", f"/servers/{uuid}/chat", "/models"):
        desk.goto(console.origin + path)
        assert desk.locator("main img").count() == 0
        assert desk.title() != "broken"


def test_server_can_be_opened_by_keyboard(desk: Page, console: ConsoleProcess) -> None:
    desk.goto(f"{console.origin}/servers?q=gemma&sort=name")
    link = desk.get_by_role("link", name="gemma", exact=True)
    desk.locator("body").click(position={"x": 2, "y": 2})
    for _ in range(30):
        desk.keyboard.press("Tab")
        if link.evaluate("link => link === document.activeElement"):
            break
    desk.keyboard.press("Enter")
    desk.wait_for_url(re.compile(UUID))


def test_graph_shows_its_value_at_the_pointer(desk: Page, console: ConsoleProcess) -> None:
    desk.goto(f"{console.origin}/servers/{UUID}")
    desk.locator("[data-graph=memory] svg").hover(position={"x": 250, "y": 40})
    expect(desk.locator("[data-graph=memory] [data-tip]")).to_contain_text("448 MiB")


def test_open_page_reports_the_end_of_its_session(
    desk: Page, opened: Browser, console: ConsoleProcess, ledger: Postgres
) -> None:
    desk.goto(f"{console.origin}/servers")
    other = desk.context.new_page()
    other.goto(f"{console.origin}/models")
    other.locator("details.who summary").click()
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You are signed out")).to_be_visible()
    write(ledger, samples.serve(fresh_name("end")))
    expect(desk.get_by_text("Your session has ended")).to_be_visible(timeout=60_000)


def write(ledger: Postgres, raw: samples.Object) -> None:
    """Write an object's row to the ledger, outside of Playwright's event loop."""
    worker = threading.Thread(
        target=lambda: asyncio.run(sample_ledger.write(ledger, [samples.record(raw)]))
    )
    worker.start()
    worker.join()
