"""Actions of a user on the console's pages."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, Route, expect

from tests.e2e.gateway.site import Gateway

MODEL = "gemma-3-270m"
CHAT = """async (address) => (await fetch(`${address}/v1/chat/completions`, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify({messages: [{role: "user", content: "hello"}], max_tokens: 1}),
})).status"""


class FormOf:
    """The page that creates a server."""

    def __init__(self, page: Page, gateway: Gateway) -> None:
        self._page = page
        page.goto(f"{gateway.url}/serve")

    def fill(self, *, name: str, namespace: str, memory: str = "1Gi") -> None:
        """Fill in the form as for the demo's server."""
        page = self._page
        fields = {"modelName": MODEL, "name": name, "namespace": namespace, "memory": memory}
        fields["cpu"] = "500m"
        for field, text in {**fields, "contextSize": "2048"}.items():
            page.locator(f"[name={field}]").fill(text)
        page.get_by_text("More settings").click()
        page.locator("[name=chatTemplate]").fill("vicuna")


def open_server(page: Page, gateway: Gateway, namespace: str) -> None:
    """Click the server in the list, and wait for the page at its own address."""
    page.goto(f"{gateway.url}/servers?q={namespace}")
    page.get_by_role("link", name="shared", exact=True).click()
    page.wait_for_url(lambda url: "/servers" not in url)
    expect(page.get_by_label("Your message")).to_be_visible()


def prevent_end_of_answer(page: Page) -> None:
    """Make the model generate for minutes: a small model may stop at once."""

    def change(route: Route) -> None:
        asked = route.request.post_data_json or {}
        body = {**asked, "ignore_eos": True, "max_tokens": 3500}
        route.continue_(post_data=json.dumps(body))

    page.route(re.compile("/chat/completions$"), change)


def ask(page: Page, question: str) -> str:
    """Send a question and return the complete answer."""
    page.get_by_text("Parameters").click()
    page.get_by_label("Maximum tokens").fill("32")
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Your message").fill(question)
    page.keyboard.press("Enter")
    answer = page.locator(".bubble-assistant").last
    expect(answer.locator(".bubble-foot")).to_contain_text("tokens", timeout=120_000)
    return answer.locator(".bubble-text").inner_text()
