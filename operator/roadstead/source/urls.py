"""Where an object's URL comes from, and what to do once it is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from roadstead.errors import SourceError, SourceInterrupted

NEW_URL: Final = "put a new URL into the Secret, and what has been transferred is kept"


class Urls(Protocol):
    """Where the object's URL comes from; used from several threads."""

    def current(self) -> str:
        """The URL to use now; raises SourceError."""

    def renew(self, used: str, refusal: SourceError) -> None:
        """Have another URL, as `used` was refused; raises the refusal where there is none."""


class FixedUrl:
    """One presigned URL, all there is; `advice` is what helps where it is refused."""

    def __init__(self, url: str, *, advice: str = NEW_URL) -> None:
        self._url = url
        self._advice = advice

    def current(self) -> str:
        """The URL."""
        return self._url

    def renew(self, used: str, refusal: SourceError) -> None:
        """There is no other."""
        if isinstance(refusal, SourceInterrupted):
            raise refusal
        message = f"{refusal}; {self._advice}"
        raise type(refusal)(refusal.reason, message, retry=refusal.retry)


class RenewedUrls:
    """URLs that `ask` gives one of at a time, such as the Quant service; asked once per expiry."""

    def __init__(self, ask: Callable[[], str], *, first: str) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._url = first

    def current(self) -> str:
        """The URL that was given last."""
        with self._lock:
            return self._url

    def renew(self, used: str, refusal: SourceError) -> None:
        """Ask again, unless another thread has done so since `used` was given."""
        with self._lock:
            if self._url == used:
                self._url = self._ask()
