"""Providers of an object's URL, which renew it if the source refuses it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from roadstead.errors import SourceError, SourceInterrupted

NEW_URL: Final = "put a new URL into the Secret; the parts that were transferred are kept"


class Urls(Protocol):
    """Provides the object's URL; may be used from several threads."""

    def current(self) -> str:
        """Return the current URL; raises SourceError."""

    def renew(self, used: str, refusal: SourceError) -> None:
        """Get another URL, as `used` was refused; raises the refusal if there is none."""


class FixedUrl:
    """A single presigned URL; `advice` is appended to the message when it is refused."""

    def __init__(self, url: str, *, advice: str = NEW_URL) -> None:
        self._url = url
        self._advice = advice

    def current(self) -> str:
        """Return the URL."""
        return self._url

    def renew(self, used: str, refusal: SourceError) -> None:
        """Raise the refusal: there is no other URL."""
        if isinstance(refusal, SourceInterrupted):
            raise refusal
        message = f"{refusal}; {self._advice}"
        raise type(refusal)(refusal.reason, message, retry=refusal.retry)


class RenewedUrls:
    """URLs from `request_url`, such as the Quant service's; requested once per expiry."""

    def __init__(self, request_url: Callable[[], str], *, first: str) -> None:
        self._request_url = request_url
        self._lock = threading.Lock()
        self._url = first

    def current(self) -> str:
        """Return the latest URL."""
        with self._lock:
            return self._url

    def renew(self, used: str, refusal: SourceError) -> None:
        """Request another URL, unless another thread has done so since `used` was returned."""
        with self._lock:
            if self._url == used:
                self._url = self._request_url()
