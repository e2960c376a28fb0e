"""Reads a source's error responses as bounded, printable text.

S3 servers send XML (`Code`, `Message`), others JSON or text. The body is untrusted, so it is
truncated before it is searched, never parsed as XML, and the URL's query is removed from it.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import html
import http.client
import json
import re
from typing import Final
from urllib.parse import unquote

from roadstead.excerpts import excerpt

MAX_BODY_BYTES: Final = 16 * 2**10
_SECRET_CHARACTERS: Final = 6
"""Shorter values of a query, such as `0` or `GET`, are not secret and occur in any text."""
_ELEMENT_CHARACTERS: Final = 1000
_TITLE: Final = re.compile(r"<title>([^<]{1,1000})</title>", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceAnswer:
    """A response without a range; missing texts are "" and a missing time is None."""

    status: int
    code: str = ""
    message: str = ""
    region: str = ""
    storage_class: str = ""
    time: datetime.datetime | None = None
    """The source's clock."""

    @classmethod
    def read(
        cls, status: int, headers: http.client.HTTPMessage, body: bytes, resource: str
    ) -> SourceAnswer:
        """Read the response to a request of `resource`, whose query is removed from all texts."""
        # The query is removed before truncation, so that no part of a secret remains at the end,
        # and again after unescaping.
        text = without_query(body[:MAX_BODY_BYTES].decode(errors="replace"), resource)

        def tidy(value: str) -> str:
            return excerpt(without_query(value, resource))

        return cls(
            status=status,
            code=tidy(_element(text, "Code") or headers.get("x-ms-error-code", "")),
            message=tidy(_message(text, headers)),
            region=tidy(headers.get("x-amz-bucket-region", "") or _element(text, "Region")),
            storage_class=tidy(_element(text, "StorageClass")),
            time=_time(_element(text, "ServerTime"), headers.get("Date", "")),
        )

    @property
    def summary(self) -> str:
        """Status, code and message, such as `403 AccessDenied: Request has expired`."""
        head = f"{self.status} {self.code}".rstrip()
        return f"{head}: {self.message}" if self.message else head


def without_query(text: str, resource: str) -> str:
    """Remove the values of a URL's query from the text: some servers repeat the request."""
    query = resource.partition("?")[2][:MAX_BODY_BYTES]
    values = {pair.partition("=")[2] for pair in query.split("&")[:64]}
    secrets = values | {unquote(value) for value in values} | {query, unquote(query)}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SECRET_CHARACTERS:
            text = text.replace(secret, "…")
    return text


def _element(text: str, name: str) -> str:
    """Return the text of the first element of that name, or "" if it has child elements."""
    rest = text.partition(f"<{name}>")[2][:_ELEMENT_CHARACTERS]
    value = rest.partition("<")[0]
    return html.unescape(value).strip() if rest.startswith(f"</{name}>", len(value)) else ""


def _message(text: str, headers: http.client.HTTPMessage) -> str:
    found = _element(text, "AuthenticationErrorDetail") or _element(text, "Message")
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if found or kind.endswith("xml"):
        return found
    if kind.endswith("json"):
        return _json_message(text)
    if kind == "text/plain":
        return text
    title = _TITLE.search(text)
    return html.unescape(title[1]) if title else headers.get("Proxy-Authenticate", "")


def _json_message(text: str) -> str:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(values, dict):
        return ""
    found = values.get("message") or values.get("error") or ""
    if isinstance(found, dict):
        found = found.get("message", "")
    return found if isinstance(found, str) else ""


def _time(server_time: str, date: str) -> datetime.datetime | None:
    try:
        if server_time:
            found = datetime.datetime.fromisoformat(server_time)
        else:
            found = email.utils.parsedate_to_datetime(date[:64])
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
