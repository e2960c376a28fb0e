"""Reading keys: from a file or from a JWKS URL, both without holding up the event loop."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from pathlib import Path
from typing import Final, Protocol

import aiohttp
from aiohttp import hdrs

from roadstead.errors import RoadsteadError
from roadstead.tokens.jwks import MAX_JWKS_BYTES

TIMEOUT_SECONDS: Final = 5.0


class KeysUnavailable(RoadsteadError):
    """No answer or not one with keys; may pass later. The message says where and why."""


class Reader(Protocol):
    """Where an issuer's keys are; `where` is for people."""

    @property
    def where(self) -> str:
        """A path or a URL."""
        ...

    async def read(self) -> bytes:
        """What is there now, 64 KiB at most; KeysUnavailable otherwise."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileReader:
    """A mounted file, read anew each time: a Secret's or ConfigMap's files are swapped below us."""

    path: Path

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    async def read(self) -> bytes:
        """The file's bytes."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_JWKS_BYTES + 1)
        except OSError as error:
            raise KeysUnavailable(f"{self.path} can't be read: {error.strerror}") from None
        return _limited(data, self.where)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UrlReader:
    """An issuer's `jwks_uri` (RFC 8414, 2).

    Redirects are not followed: whoever could add one would choose the keys.
    """

    url: str
    session: aiohttp.ClientSession
    ca: ssl.SSLContext | None = None
    timeout: float = TIMEOUT_SECONDS

    @property
    def where(self) -> str:
        """The URL."""
        return self.url

    async def read(self) -> bytes:
        """The body of a 200, 64 KiB at most, within `timeout` seconds in all."""
        try:
            async with self.session.get(
                self.url,
                allow_redirects=False,
                ssl=self.ca or True,
                # What is compressed can be a thousand times longer than the limit.
                headers={hdrs.ACCEPT: "application/json", hdrs.ACCEPT_ENCODING: "identity"},
                timeout=aiohttp.ClientTimeout(total=self.timeout),
            ) as response:
                if response.status != 200:
                    raise KeysUnavailable(f"{self.url} answered {response.status}")
                if hdrs.CONTENT_ENCODING in response.headers:
                    raise KeysUnavailable(f"{self.url} answered in a compressed form")
                return _limited(await _beginning(response.content), self.url)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise KeysUnavailable(f"{self.url}: no answer ({type(error).__name__})") from None


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    data = bytearray()
    while len(data) <= MAX_JWKS_BYTES and (chunk := await content.readany()):
        data += chunk
    return bytes(data)


def _limited(data: bytes, where: str) -> bytes:
    if len(data) > MAX_JWKS_BYTES:
        raise KeysUnavailable(f"{where} has more than {MAX_JWKS_BYTES} bytes")
    return data
