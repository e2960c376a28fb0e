"""One question through the gateway: does this server answer at its public path?"""

from __future__ import annotations

import dataclasses
import json
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp

from roadstead.errors import InvalidSettings
from roadstead.tokens.gateway_keys import PROBE_SCHEME, GatewayKey

TIMEOUT_SECONDS: Final = 10.0
MAX_BODY: Final = 4096
FORWARD_AUTH: Final = "roadstead"
"""What forward auth names itself in the header Server of what it refuses."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reached:
    """What a probe came to; `reason` is CamelCase, `message` is for people."""

    answered: bool
    reason: str
    message: str


class GatewayProbe:
    """Asks `https://<host>/<uuid>/health`, at an address that may be another than the host's."""

    def __init__(
        self, url: str, *, address: str, key: GatewayKey, session: aiohttp.ClientSession
    ) -> None:
        self._url = url
        self._address = address or urlsplit(url).netloc
        self._key = key
        self._session = session

    @classmethod
    def open(cls, url: str, *, address: str, ca_file: Path | None, key: GatewayKey) -> Self:
        """With a session of its own; InvalidSettings where the authority can't be read."""
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InvalidSettings(f"the gateway's authority {ca_file}: {error}") from None
        # A pod of the gateway that goes takes its connections with it: each probe has a new one.
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return cls(url, address=address, key=key, session=session)

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    async def ask(self, server_uuid: str, *, now: int) -> Reached:
        """One probe; never raises for what the gateway does. `now` is in seconds since 1970."""
        parts = urlsplit(self._url)
        credential = f"{PROBE_SCHEME} {self._key.probe(server_uuid, now=now)}"
        try:
            async with self._session.get(
                f"https://{self._address}/{server_uuid}/health",
                headers={"Host": parts.netloc, "Authorization": credential},
                server_hostname=parts.hostname,
                allow_redirects=False,
            ) as answer:
                body = await answer.content.read(MAX_BODY)
                by = answer.headers.get("Server", "")
                return interpret_response(
                    answer.status, body, by=by, url=f"{self._url}/{server_uuid}"
                )
        except aiohttp.ClientConnectorCertificateError as error:
            message = f"{self._address} shows a certificate that is not trusted for "
            message += f"{parts.hostname}: {error.certificate_error}"
            return Reached(answered=False, reason="GatewayCertificate", message=message)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            message = f"{self._address} does not answer: {error or type(error).__name__}"
            return Reached(answered=False, reason="GatewayUnreachable", message=message)


def interpret_response(status: int, body: bytes, *, by: str, url: str) -> Reached:
    """What an answer of the gateway means (pure); `by` is its header Server."""
    if status == HTTPStatus.OK and _of_llama(body):
        return Reached(answered=True, reason="Answered", message=f"answers at {url}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Reached(answered=True, reason="Answered", message=f"is busy at {url}")
    if status < HTTPStatus.BAD_REQUEST:
        message = f"not the server but something else answers at {url} ({status})"
        return Reached(answered=False, reason="NotRouted", message=message)
    if by == FORWARD_AUTH and status in (HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE):
        message = f"forward auth can't judge requests for the server yet ({status})"
        return Reached(answered=False, reason="AuthUnavailable", message=message)
    if status == HTTPStatus.NOT_FOUND:
        message = f"the gateway has no route for {url}; its log says why it does not take it up"
        return Reached(answered=False, reason="NotRouted", message=message)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        message = f"forward auth refuses the operator's probe with {status}: do both have the same "
        return Reached(answered=False, reason="ProbeRefused", message=f"{message}gateway key?")
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"the gateway gets no verdict of forward auth ({status})"
        return Reached(answered=False, reason="AuthUnavailable", message=message)
    message = f"the gateway does not reach the server ({status})"
    return Reached(answered=False, reason="ServerNotReady", message=message)


def _of_llama(body: bytes) -> bool:
    """Whether this is what llama-server's /health says: `{"status":"ok"}`."""
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("status") == "ok"
