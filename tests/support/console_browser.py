"""What a browser sends to the console, without one."""

from __future__ import annotations

import dataclasses
import json
import secrets
from typing import Any, Self

import aiohttp

from dev.console.tokens import make_token
from roadstead.tokens.sessions import COOKIE

HTML = "text/html,application/xhtml+xml"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer, read."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)


class Browser:
    """One person's; `cookie` is what it keeps, empty without a session."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.cookie = ""
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """Of aiohttp."""
        assert self._session is not None
        return self._session

    def headers(self, method: str = "GET", **more: str) -> dict[str, str]:
        """As a browser sends them for a page of its own."""
        own = {"Accept": HTML} | ({"Origin": self.origin} if method != "GET" else {})
        cookie = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        return {**own, **cookie, **more}

    async def ask(
        self,
        method: str,
        path: str,
        *,
        data: Any = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; `data` is a form, `body` JSON, `headers` besides the usual ones."""
        sent = {**self.headers(method), **(headers or {})}
        async with self.session.request(
            method, self.origin + path, data=data, json=body, headers=sent, allow_redirects=False
        ) as response:
            text = await response.text()
            return Answer(status=response.status, headers=response.headers, text=text)

    async def get(self, path: str, **headers: str) -> Answer:
        """A page."""
        return await self.ask("GET", path, headers=headers)

    async def sign_in(self, subject: str, *groups: str, **claims: Any) -> Answer:
        """Paste a token; the cookie is kept."""
        token = make_token(subject, *groups, **{"jti": secrets.token_hex(8), **claims})
        answer = await self.ask("POST", "/sign-in", data={"token": token, "next": "/servers"})
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
        return answer
