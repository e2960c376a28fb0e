"""The client of the Quant service: `GET /download-url/{model_id}` with a bearer token."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import http.client
import json
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from roadstead import tokens
from roadstead.clocks import Clock, utc_now
from roadstead.errors import InvalidToken, ModelUnknown, Retry, SourceError, SourceInterrupted
from roadstead.source.dial import DialledConnection, Egress, Target, connection_error

AUDIENCE: Final = "roadstead-quant"
ISSUER: Final = "roadstead"
SUBJECT: Final = "roadstead-operator"
TOKEN_LIFETIME: Final = datetime.timedelta(minutes=5)
RESPONSE_TIMEOUT_SECONDS: Final = 15.0
_MAX_RESPONSE_BYTES: Final = 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantAnswer:
    """The URL of a model, valid until `expires_at`, and its size, digest and quantization."""

    url: str = dataclasses.field(repr=False)
    size_bytes: int | None
    sha256: str | None
    quantization: str | None
    expires_at: datetime.datetime | None

    @classmethod
    def parse(cls, raw: bytes) -> QuantAnswer:
        """Parse the service's JSON; raises ValueError, which never quotes it."""
        try:
            values: Any = json.loads(raw)
        except RecursionError:
            raise ValueError("is nested too deep") from None
        if not isinstance(values, dict) or not isinstance(values.get("url"), str):
            raise ValueError("url is missing")
        size, sha256, kind = (values.get(name) for name in ("size", "sha256", "quantization"))
        expires = values.get("expiresAt")
        if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", str(sha256)):
            raise ValueError("sha256 is not 64 lowercase hex digits")
        if size is not None and (not isinstance(size, int) or size < 1):
            raise ValueError("size is not a positive integer")
        return cls(
            url=values["url"],
            size_bytes=size,
            sha256=sha256,
            quantization=None if kind is None else str(kind)[:64],
            expires_at=None if expires is None else datetime.datetime.fromisoformat(str(expires)),
        )


class QuantClient:
    """Requests URLs from the Quant service at `endpoint` (`http[s]://host[:port]`).

    Each request has a new service token, signed with the key in `key_file` (HS256).
    `egress` decides which addresses the endpoint may have, and how they are reached.
    """

    def __init__(
        self,
        endpoint: str,
        key_file: Path,
        egress: Egress,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._key_file = key_file
        self._egress = egress
        self._clock = clock

    async def download_url(self, model_id: str) -> QuantAnswer:
        """Return the URL of `model_id`; raises ModelUnknown (404) or another SourceError."""
        return await asyncio.to_thread(self.get_download_url, model_id)

    def get_download_url(self, model_id: str) -> QuantAnswer:
        """Do the same as `download_url`, for callers without an event loop."""
        target = Target.parse(f"{self._endpoint}/download-url/{quote(model_id, safe='')}")
        status, body = self._get(target)
        if status != 200:
            raise _response_error(status, model_id, target)
        try:
            return QuantAnswer.parse(body)
        except ValueError as error:
            message = f"{target}: invalid response from the Quant service: {error}"
            raise SourceError("SourceUnavailable", message) from None

    def _get(self, target: Target) -> tuple[int, bytes]:
        headers = {
            "Host": target.authority,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {self._token()}",
        }
        connection = DialledConnection(target, self._egress, read_seconds=RESPONSE_TIMEOUT_SECONDS)
        try:
            connection.request("GET", target.resource, headers=headers)
            with connection.interrupt_after(RESPONSE_TIMEOUT_SECONDS):
                response = connection.getresponse()
                return response.status, response.read(_MAX_RESPONSE_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise connection_error(target, error) from None
        finally:
            connection.close()

    def _token(self) -> str:
        try:
            key = self._key_file.read_bytes().strip()
            return tokens.issue(
                key,
                subject=SUBJECT,
                audience=AUDIENCE,
                issuer=ISSUER,
                lifetime=TOKEN_LIFETIME,
                now=self._clock(),
            )
        except (OSError, InvalidToken) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            message = f"invalid key for the Quant service ({self._key_file}): {why}"
            raise SourceError("SourceUnauthorized", message) from None


def _response_error(status: int, model_id: str, target: Target) -> SourceError:
    match status:
        case 401 | 403:
            message = f"{target}: the Quant service refused the operator's token ({status}); "
            return SourceError("SourceUnauthorized", message + "check that both have the same key")
        case 404:
            message = (
                f"the Quant service does not know model {model_id!r}; check source.quant.modelId"
            )
            return ModelUnknown("ModelUnknown", message, retry=Retry.ON_CHANGE)
        case 410:
            message = f"the Quant service no longer has model {model_id!r}"
            return SourceError("SourceGone", message, retry=Retry.ON_CHANGE)
    return SourceInterrupted("SourceUnavailable", f"{target}: the Quant service answered {status}")
