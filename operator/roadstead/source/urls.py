"""Where an object's URL comes from, and what to do once it has expired."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from roadstead.errors import Retry, SourceExpired


class Urls(Protocol):
    """Where the object's URL comes from; used from several threads."""

    def current(self) -> str:
        """The URL to use now; raises SourceError."""

    def renew(self, used: str) -> str:
        """Another URL, as `used` opens nothing any more; raises SourceExpired without one."""


class FixedUrl:
    """One presigned URL, all there is."""

    def __init__(self, url: str) -> None:
        self._url = url

    def current(self) -> str:
        """The URL."""
        return self._url

    def renew(self, used: str) -> str:
        """There is no other."""
        raise SourceExpired(
            "SourceURLExpired",
            "the presigned URL no longer opens the object (403); put a new one into the Secret, "
            "and what has been transferred is kept",
            retry=Retry.ON_CHANGE,
        )


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

    def renew(self, used: str) -> str:
        """Ask again, unless another thread has done so since `used` was given."""
        with self._lock:
            if self._url == used:
                self._url = self._ask()
            return self._url
