"""`python -m dev.console.screenshots`: screenshots of the console, in docs/images/console."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from dev.console import chromium, instance
from dev.console.tokens import make_token
from dev.terminal import echo

FOLDER: Final = Path(__file__).parents[2] / "docs" / "images" / "console"
SERVER: Final = uuid.uuid5(uuid.NAMESPACE_URL, "demo/gemma")
PAGES: Final[Mapping[str, str]] = {
    "servers": "/servers",
    "server": f"/servers/{SERVER}?hours=6",
    "chat": f"/servers/{SERVER}/chat",
    "models": "/models",
    "contracts": "/contracts",
    "serve": "/serve?model=gemma-3-270m&contract=demo",
    "nothing-found": "/servers?q=nothing-like-this",
    "not-found": "/nowhere",
}
VARIANTS: Final[Mapping[str, dict[str, Any]]] = {
    "light": {"viewport": chromium.DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": chromium.DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": chromium.PHONE, "color_scheme": "light", "is_mobile": True},
}
TALK: Final = """() => {
    const talk = document.querySelector("[data-talk]");
    const say = (role, name, text, foot) => {
        const box = document.createElement("article");
        box.className = `bubble bubble-${role}`;
        for (const [tag, kind, words] of
             [["h2", "", name], ["div", "bubble-text", text], ["p", "bubble-foot", foot]]) {
            const part = document.createElement(tag);
            part.className = kind;
            part.textContent = words;
            box.append(part);
        }
        talk.append(box);
    };
    document.querySelector("[data-empty]").hidden = true;
    say("user", "You", "In one sentence: what is a harbour for?", "");
    say("assistant", "gemma-3-270m", "A harbour is a place where ships can be stored.",
        "12 tokens · 38.4 tokens/s");
}"""
"""A conversation as the page shows it; the sample data has no llama.cpp."""


def main() -> None:
    """Take all screenshots."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with instance.running() as origin, chromium.chromium() as browser:
        for variant, options in VARIANTS.items():
            with chromium.window(browser, **options) as page:
                page.goto(f"{origin}/sign-in")
                _take(page, f"sign-in-{variant}")
                chromium.sign_in(page, origin, make_token("alice", "demo-users", "research"))
                for name, path in PAGES.items():
                    page.goto(origin + path)
                    _fill_in(page, name)
                    _take(page, f"{name}-{variant}")


def _fill_in(page: Page, name: str) -> None:
    if name == "chat":
        page.evaluate(TALK)
    if name == "serve":
        page.locator("[name=name]").fill("my-server")
        page.locator("[data-yaml]:not(:empty)").wait_for()


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(300)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    echo(f"{path.relative_to(FOLDER.parents[2])}")


if __name__ == "__main__":
    main()
