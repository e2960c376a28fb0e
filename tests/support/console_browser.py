"""A client that sends requests to the console as a browser does."""

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
    """An answer with its body."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.text)


class Browser:
    """One user's browser; `cookie` is empty without a session."""

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
        """The client session of aiohttp."""
        assert self._session is not None
        return self._session

    def headers(self, method: str = "GET", **more: str) -> dict[str, str]:
        """Headers that a browser sends for the console's own pages."""
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
        """Send a request; `data` is a form, `body` JSON, `headers` are additional."""
        sent = {**self.headers(method), **(headers or {})}
        async with self.session.request(
            method, self.origin + path, data=data, json=body, headers=sent, allow_redirects=False
        ) as response:
            text = await response.text()
            return Answer(status=response.status, headers=response.headers, text=text)

    async def get(self, path: str, **headers: str) -> Answer:
        """Get a page."""
        return await self.ask("GET", path, headers=headers)

    async def sign_in(self, subject: str, *groups: str, **claims: Any) -> Answer:
        """Sign in with a token and keep the cookie."""
        token = make_token(subject, *groups, **{"jti": secrets.token_hex(8), **claims})
        answer = await self.ask("POST", "/sign-in", data={"token": token, "next": "/servers"})
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
        return answer
