"""Probes whether a server answers at its public path through the gateway."""

from __future__ import annotations

import dataclasses
import json
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp

from roadstead.authorities import Authorities
from roadstead.tokens.gateway_keys import PROBE_SCHEME, GatewayKey

TIMEOUT_SECONDS: Final = 10.0
MAX_BODY: Final = 4096
FORWARD_AUTH: Final = "roadstead"
"""The header Server in denials of forward auth."""
_AT_THE_LIMIT: Final = b"max connections reached"
"""The body of Traefik's inFlightReq (github.com/vulcand/oxy, connlimit). The server's own follows
forward auth in its route, so its answer shows that both admit the probe."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reached:
    """The result of a probe; `reason` is CamelCase, `message` is for people."""

    answered: bool
    reason: str
    message: str


class GatewayProbe:
    """Requests `https://<host>/<uuid>/health`, at an address that may differ from the host's."""

    def __init__(
        self,
        url: str,
        *,
        address: str,
        authorities: Authorities,
        key: GatewayKey,
        session: aiohttp.ClientSession,
    ) -> None:
        self._url = url
        self._address = address or urlsplit(url).netloc
        self._authorities = authorities
        self._key = key
        self._session = session

    @classmethod
    def open(cls, url: str, *, address: str, authorities: Authorities, key: GatewayKey) -> Self:
        """Open a session; InvalidSettings if the CA file can't be read."""
        authorities.context()
        # A terminated pod of the gateway breaks its connections: each probe opens a new one.
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return cls(url, address=address, authorities=authorities, key=key, session=session)

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    async def check(self, server_uuid: str, *, now: int) -> Reached:
        """Probe once; errors of the gateway are results. `now` is in seconds since 1970."""
        parts = urlsplit(self._url)
        credential = f"{PROBE_SCHEME} {self._key.probe(server_uuid, now=now)}"
        try:
            async with self._session.get(
                f"https://{self._address}/{server_uuid}/health",
                headers={"Host": parts.netloc, "Authorization": credential},
                ssl=self._authorities.context(),
                server_hostname=parts.hostname,
                allow_redirects=False,
            ) as answer:
                body = await answer.content.read(MAX_BODY)
                by = answer.headers.get("Server", "")
                return interpret_response(
                    answer.status, body, by=by, url=f"{self._url}/{server_uuid}"
                )
        except aiohttp.ClientConnectorCertificateError as error:
            message = f"the certificate of {self._address} is not trusted for "
            message += f"{parts.hostname}: {error.certificate_error}"
            return Reached(answered=False, reason="GatewayCertificate", message=message)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            message = f"{self._address} does not answer: {error or type(error).__name__}"
            return Reached(answered=False, reason="GatewayUnreachable", message=message)


def interpret_response(status: int, body: bytes, *, by: str, url: str) -> Reached:
    """Interpret a response of the gateway (pure); `by` is its header Server."""
    if status == HTTPStatus.OK and _is_healthy(body):
        return Reached(answered=True, reason="Answered", message=f"answers at {url}")
    if status == HTTPStatus.TOO_MANY_REQUESTS and body.startswith(_AT_THE_LIMIT):
        message = f"as many requests as gateway.maxInFlight allows are in progress at {url}"
        return Reached(answered=True, reason="Answered", message=message)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"something in front of the server's route limits requests at {url} ({status})"
        return Reached(answered=False, reason="NotRouted", message=message)
    if status < HTTPStatus.BAD_REQUEST:
        message = f"another application, not the server, answers at {url} ({status})"
        return Reached(answered=False, reason="NotRouted", message=message)
    if by == FORWARD_AUTH and status in (HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE):
        message = f"forward auth can't decide requests for the server yet ({status})"
        return Reached(answered=False, reason="AuthUnavailable", message=message)
    if status == HTTPStatus.NOT_FOUND:
        message = f"the gateway has no route for {url}; its log has the reason"
        return Reached(answered=False, reason="NotRouted", message=message)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        message = (
            f"forward auth denies the operator's probe ({status}); check that both have the same "
        )
        return Reached(answered=False, reason="ProbeRefused", message=f"{message}gateway key")
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"the gateway gets no response from forward auth ({status})"
        return Reached(answered=False, reason="AuthUnavailable", message=message)
    message = f"the gateway does not reach the server ({status})"
    return Reached(answered=False, reason="ServerNotReady", message=message)


def _is_healthy(body: bytes) -> bool:
    """Whether this is the response of llama-server's /health: `{"status":"ok"}`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("status") == "ok"
