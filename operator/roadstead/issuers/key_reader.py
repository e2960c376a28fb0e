"""Reads keys from a file or a JWKS URL, without blocking the event loop."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Final, Protocol

import aiohttp
from aiohttp import hdrs

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import InvalidSettings, RoadsteadError
from roadstead.proxies import Proxy, request_options
from roadstead.tokens.jwks import MAX_JWKS_BYTES

TIMEOUT_SECONDS: Final = 5.0
_ACCEPTED: Final = "application/jwk-set+json, application/json"
"""The first is that of RFC 7517, 8.5.2, without which the kube-apiserver answers 406."""


class KeysUnavailable(RoadsteadError):
    """The keys can't be read now; the message has the location and the cause."""


class Reader(Protocol):
    """Reads an issuer's keys; `where` is for messages."""

    @property
    def where(self) -> str:
        """A path or a URL."""
        ...

    async def read(self) -> bytes:
        """Return the current content, at most 64 KiB; raises KeysUnavailable."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileReader:
    """Reads a mounted file each time: the files of a Secret or ConfigMap are replaced."""

    path: Path

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    async def read(self) -> bytes:
        """Return the file's bytes."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_JWKS_BYTES + 1)
        except OSError as error:
            raise KeysUnavailable(f"{self.path} can't be read: {error.strerror}") from None
        return _check_size(data, self.where)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UrlReader:
    """Reads an issuer's `jwks_uri` (RFC 8414, 2).

    Redirects are not followed, since an injected redirect could replace the keys.
    """

    url: str
    session: aiohttp.ClientSession
    authorities: Authorities = SYSTEM_AUTHORITIES
    proxy: Proxy | None = None
    timeout: float = TIMEOUT_SECONDS
    token_file: Path | None = None
    """A bearer token to authenticate with, read at each request."""

    @property
    def where(self) -> str:
        """The URL."""
        return self.url

    async def read(self) -> bytes:
        """Return the body of a 200, at most 64 KiB, within `timeout` seconds in total."""
        try:
            async with self.session.get(
                self.url,
                allow_redirects=False,
                ssl=self.authorities.context(),
                **request_options(self.proxy, self.url),
                headers=await asyncio.to_thread(self._headers),
                timeout=aiohttp.ClientTimeout(total=self.timeout),
            ) as response:
                if response.status != 200:
                    raise KeysUnavailable(f"{self.url} answered {response.status}")
                if hdrs.CONTENT_ENCODING in response.headers:
                    raise KeysUnavailable(f"{self.url} sent a compressed response")
                return _check_size(await _read_limited(response.content), self.url)
        except InvalidSettings as error:
            raise KeysUnavailable(f"{self.url}: {error}") from None
        except aiohttp.ClientHttpProxyError as error:
            raise KeysUnavailable(f"{self.url}: the proxy answered {error.status}") from None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise KeysUnavailable(f"{self.url}: no response ({type(error).__name__})") from None

    def _headers(self) -> dict[str, str]:
        # A compressed response can expand to a thousand times the limit.
        headers: dict[str, str] = {hdrs.ACCEPT: _ACCEPTED, hdrs.ACCEPT_ENCODING: "identity"}
        if self.token_file is not None:
            headers[hdrs.AUTHORIZATION] = f"Bearer {_read_token(self.token_file)}"
        return headers


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise KeysUnavailable(f"the token in {path} can't be read") from None


async def _read_limited(content: aiohttp.StreamReader) -> bytes:
    data = bytearray()
    while len(data) <= MAX_JWKS_BYTES and (chunk := await content.readany()):
        data += chunk
    return bytes(data)


def _check_size(data: bytes, where: str) -> bytes:
    if len(data) > MAX_JWKS_BYTES:
        raise KeysUnavailable(f"{where} has more than {MAX_JWKS_BYTES} bytes")
    return data
