"""Calls the gateway as a user's program does: with a token, and a certificate that it verifies."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp

from roadstead.authorities import Authorities
from roadstead.errors import GatewayError

CALL_SECONDS: Final = 120.0
MAX_ANSWER_BYTES: Final = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class GatewayAnswer:
    """A response; `by` is its header Server, which forward auth sets in denials."""

    status: int
    body: bytes
    by: str = ""

    @property
    def json(self) -> Any:
        """The parsed body; None if it isn't JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class GatewayCaller:
    """Sends each request on a new connection, at an address that may differ from the URL's host."""

    def __init__(self, url: str, *, address: str, session: aiohttp.ClientSession) -> None:
        self._host = urlsplit(url)
        self._address = address or self._host.netloc
        self._session = session

    @classmethod
    def open(cls, url: str, *, address: str, authorities: Authorities) -> Self:
        """Open a session; InvalidSettings if the authorities can't be read."""
        # Another connection may reach another replica of the gateway.
        connector = aiohttp.TCPConnector(ssl=authorities.context(), force_close=True)
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return cls(url, address=address, session=session)

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    async def call(
        self, path: str, *, token: str = "", body: Mapping[str, Any] | None = None
    ) -> GatewayAnswer:
        """GET, or POST with a body. Raises GatewayError if there is no response."""
        headers = {"Host": self._host.netloc}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._session.request(
                "GET" if body is None else "POST",
                f"https://{self._address}{path}",
                headers=headers,
                json=body,
                server_hostname=self._host.hostname,
                allow_redirects=False,
            ) as answer:
                content = await answer.content.read(MAX_ANSWER_BYTES)
                return GatewayAnswer(
                    status=answer.status, body=content, by=answer.headers.get("Server", "")
                )
        except aiohttp.ClientConnectorCertificateError as error:
            raise GatewayError(
                f"the certificate of {self._address} is not trusted for {self._host.hostname}: "
                f"{error.certificate_error}"
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise GatewayError(
                f"{self._address} does not answer: {error or type(error).__name__}"
            ) from None
