"""Fetch one page of metrics, with a limit on its time and size."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from http import HTTPStatus
from typing import Final

import aiohttp

from roadstead.errors import UsageError

CHUNK: Final = 2**16
_REASONS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.NOT_FOUND: "NotFound",
}


def host_port(host: str, port: int) -> str:
    """Host and port as a URL contains them: an IPv6 address is in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def fetch_page(
    session: aiohttp.ClientSession, url: str, *, authorization: str, limit: int
) -> AsyncGenerator[bytes]:
    """Yield the body in chunks, `limit` bytes at most; raises UsageError.

    Redirects are not followed: the header `Authorization` is for this address only. Compression is
    refused: it costs a node more than it saves, and aiohttp (3.14.5) loses the data that it has
    not decompressed yet when the connection closes.
    """
    headers = {"Accept": "text/plain", "Accept-Encoding": "identity"}
    if authorization:
        headers["Authorization"] = authorization
    with translating_errors():
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            if answer.status != HTTPStatus.OK:
                reason = _REASONS.get(answer.status, "Refused")
                raise UsageError(reason, f"{url}: {answer.status}")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise UsageError(
                    "Refused",
                    f"{url}: the response is compressed, although the request did not allow it",
                )
            size = 0
            async for chunk in answer.content.iter_chunked(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise UsageError("TooLarge", f"{url}: more than {limit} bytes")
                yield chunk
                await asyncio.sleep(0)  # Let reconcilers run between the chunks.


@contextlib.contextmanager
def translating_errors() -> Iterator[None]:
    """Raise errors of aiohttp as UsageError."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        message = f"the certificate is not trusted: {error.certificate_error}"
        raise UsageError("Certificate", message) from error
    except TimeoutError as error:
        raise UsageError("Timeout", "no answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UsageError("Unreachable", str(error) or type(error).__name__) from error
