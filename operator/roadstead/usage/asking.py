"""One GET for a page of metrics: bounded in time and size, and what can go wrong with it."""

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
    """As it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def page(
    session: aiohttp.ClientSession, url: str, *, authorization: str, limit: int
) -> AsyncGenerator[bytes]:
    """The body in chunks, `limit` bytes at most; raises UsageError.

    Redirects are not followed: the header `Authorization` is for this address alone. Nor is the
    page compressed: that costs a node more than it saves, and aiohttp (3.14.5) loses what it has
    not unpacked yet when the connection ends.
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
                raise UsageError("Refused", f"{url}: is compressed, which was not asked for")
            size = 0
            async for chunk in answer.content.iter_chunked(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise UsageError("TooLarge", f"{url}: more than {limit} bytes")
                yield chunk
                await asyncio.sleep(0)  # Reconcilers go on between the chunks of a large page.


@contextlib.contextmanager
def translating_errors() -> Iterator[None]:
    """Raise what aiohttp does as UsageError."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        message = f"its certificate is not trusted: {error.certificate_error}"
        raise UsageError("Certificate", message) from error
    except TimeoutError as error:
        raise UsageError("Timeout", "no answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UsageError("Unreachable", str(error) or type(error).__name__) from error
