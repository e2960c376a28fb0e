"""A keep-alive connection to the gateway, as a plain HTTP/1.1 client uses it."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.e2e.gateway.site import Gateway

TIMEOUT_SECONDS = 60.0


class Unanswered(OSError):
    """The request got no complete answer, or an error of the gateway."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response with its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


class Connection:
    """Sends requests on one connection and never opens a second one."""

    def __init__(self, gateway: Gateway, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._http = http.client.HTTPSConnection(
            gateway.host, gateway.port, timeout=timeout, context=gateway.tls()
        )
        self._http.connect()
        self._http.auto_open = 0

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._http.close()

    def open(
        self, path: str, *, token: str = "", body: object = None, **headers: str
    ) -> http.client.HTTPResponse:
        """Send a request, a POST if it has a body; the response's body is not read."""
        content = None if body is None else json.dumps(body)
        sent = dict(headers)
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if content is not None:
            sent["Content-Type"] = "application/json"
        self._http.request("GET" if content is None else "POST", path, content, sent)
        return self._http.getresponse()

    def send(self, method: str, path: str, *, token: str) -> Answer:
        """Send a request by any method, with an empty object as body if it has one."""
        content = None if method in ("GET", "DELETE") else "{}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._http.request(method, path, content, headers)
        response = self._http.getresponse()
        content_read = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, headers=found, body=content_read)

    def ask(self, path: str, *, token: str = "", body: object = None, **headers: str) -> Answer:
        """Send a request and read the answer. Raises Unanswered if it is incomplete."""
        try:
            response = self.open(path, token=token, body=body, **headers)
            content = response.read()
        except (http.client.HTTPException, OSError) as error:
            raise Unanswered(f"{path}: {error!r}") from error
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, headers=found, body=content)


def ask(
    gateway: Gateway, path: str, *, token: str = "", body: object = None, **headers: str
) -> Answer:
    """Send one request on a new connection."""
    with Connection(gateway) as connection:
        return connection.ask(path, token=token, body=body, **headers)
