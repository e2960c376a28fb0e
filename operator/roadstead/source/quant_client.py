"""The client of the Quant service: `GET /download-url/{model_id}` with a bearer token."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from roadstead import tokens
from roadstead.errors import InvalidToken, ModelUnknown, Retry, SourceError, SourceInterrupted
from roadstead.source.dial import AddressPolicy, DialledConnection, Target, unreachable

AUDIENCE: Final = "roadstead-quant"
ISSUER: Final = "roadstead"
SUBJECT: Final = "roadstead-operator"
TOKEN_LIFETIME: Final = datetime.timedelta(minutes=5)
ANSWER_SECONDS: Final = 15.0
_MAX_ANSWER_BYTES: Final = 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantAnswer:
    """Where a model can be read, and what Quant knows of it; the URL opens it until then."""

    url: str = dataclasses.field(repr=False)
    size_bytes: int | None
    sha256: str | None
    quantization: str | None
    expires_at: datetime.datetime | None

    @classmethod
    def parse(cls, raw: bytes) -> QuantAnswer:
        """Read the service's JSON; raises ValueError that quotes nothing of it."""
        values: Any = json.loads(raw)
        if not isinstance(values, dict) or not isinstance(values.get("url"), str):
            raise ValueError("there is no url in it")
        size, sha256, kind = (values.get(name) for name in ("size", "sha256", "quantization"))
        expires = values.get("expiresAt")
        if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", str(sha256)):
            raise ValueError("its sha256 is not 64 lower hex digits")
        if size is not None and (not isinstance(size, int) or size < 1):
            raise ValueError("its size is not a number of bytes")
        return cls(
            url=values["url"],
            size_bytes=size,
            sha256=sha256,
            quantization=None if kind is None else str(kind)[:64],
            expires_at=None if expires is None else datetime.datetime.fromisoformat(str(expires)),
        )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class QuantClient:
    """Asks the Quant service at `endpoint` (`http[s]://host[:port]`).

    Each call carries a fresh service token, signed with the key in `key_file` (HS256). `guard`
    says which addresses the endpoint may have.
    """

    def __init__(
        self,
        endpoint: str,
        key_file: Path,
        guard: AddressPolicy,
        *,
        clock: Callable[[], datetime.datetime] = _now,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._key_file = key_file
        self._guard = guard
        self._clock = clock

    async def download_url(self, model_id: str) -> QuantAnswer:
        """Where `model_id` can be read; raises ModelUnknown (404) or another SourceError."""
        return await asyncio.to_thread(self.ask, model_id)

    def ask(self, model_id: str) -> QuantAnswer:
        """`download_url` for callers without an event loop."""
        target = Target.parse(f"{self._endpoint}/download-url/{quote(model_id, safe='')}")
        status, body = self._get(target)
        if status != 200:
            raise _refusal(status, model_id, target)
        try:
            return QuantAnswer.parse(body)
        except ValueError as error:
            message = f"{target}: the Quant service's answer can't be used: {error}"
            raise SourceError("SourceUnavailable", message) from None

    def _get(self, target: Target) -> tuple[int, bytes]:
        headers = {
            "Host": target.authority,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {self._token()}",
        }
        connection = DialledConnection(target, self._guard, read_seconds=ANSWER_SECONDS)
        try:
            connection.request("GET", target.resource, headers=headers)
            with connection.ended_after(ANSWER_SECONDS):
                response = connection.getresponse()
                return response.status, response.read(_MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(target, error) from None
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
            message = f"the key for the Quant service can't be used ({self._key_file}): {why}"
            raise SourceError("SourceUnauthorized", message) from None


def _refusal(status: int, model_id: str, target: Target) -> SourceError:
    match status:
        case 401 | 403:
            message = f"{target}: the Quant service refused the operator's token ({status}); "
            return SourceError("SourceUnauthorized", message + "check that both have the same key")
        case 404:
            message = f"the Quant service knows no model {model_id!r}; check source.quant.modelId"
            return ModelUnknown("ModelUnknown", message, retry=Retry.ON_CHANGE)
        case 410:
            message = f"the Quant service no longer has model {model_id!r}"
            return SourceError("SourceGone", message, retry=Retry.ON_CHANGE)
    return SourceInterrupted("SourceUnavailable", f"{target}: the Quant service answered {status}")
