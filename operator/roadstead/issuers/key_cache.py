"""One issuer's keys, refreshed in the background and served from memory."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import Counter

from roadstead.clocks import Stopwatch
from roadstead.errors import InvalidKey
from roadstead.exponential_backoff import Backoff
from roadstead.issuers.key_reader import KeysUnavailable, Reader
from roadstead.tokens.keys import Key, KeySet

REMARKS: Final = Counter(
    "roadstead_token_remarks_total",
    "Valid tokens that lack groups: none, left out by the issuer (an overage), or some dropped.",
    ["issuer", "remark"],
)

REFRESH_SECONDS: Final = 300.0
FILE_REFRESH_SECONDS: Final = 5.0
UNKNOWN_KEY_SECONDS: Final = 60.0
FIRST_RETRY_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class KeyCache:
    """The latest keys of `reader`, parsed with `parse`: a KeyLookup that never waits.

    The last valid keys are kept while the issuer is unavailable or its response is invalid.
    `refresh_unknown` is for a token with an unknown key, at most once in `unknown_seconds`.
    """

    def __init__(
        self,
        reader: Reader,
        parse: Callable[[bytes], KeySet],
        *,
        clock: Stopwatch,
        refresh_seconds: float = REFRESH_SECONDS,
        unknown_seconds: float = UNKNOWN_KEY_SECONDS,
    ) -> None:
        self._reader = reader
        self._parse = parse
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._unknown_seconds = unknown_seconds
        self._keys: KeySet | None = None
        self._read_at: float = -math.inf
        self._asked_at: float = -math.inf
        self._fault = ""
        self._running: asyncio.Task[bool] | None = None
        self.attempted = asyncio.Event()
        """Set after the first read, successful or not."""
        self.changes = 0
        """How often the keys have changed: tokens that were verified before may be invalid now."""

    @property
    def loaded(self) -> bool:
        """Whether keys have been read."""
        return self._keys is not None

    @property
    def age(self) -> float:
        """Seconds since the last successful read; infinite if there was none."""
        return self._clock() - self._read_at

    def with_id(self, kid: str) -> Sequence[Key]:
        """Return the keys with that id, as of the last successful read."""
        return self._keys.with_id(kid) if self._keys else ()

    async def refresh(self) -> bool:
        """Read now, or wait for the running read; returns False if it fails, keeping old keys."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._read(), name=f"read {self._reader.where}")
        # A caller may time out (an admission has a deadline); the read continues for the others.
        return await asyncio.shield(self._running)

    async def refresh_unknown(self) -> bool:
        """Read because a key is unknown; returns False if that was done within the last minute.

        If a read is running, its result is returned.
        """
        if self._running is not None and not self._running.done():
            return await asyncio.shield(self._running)
        if self._clock() - self._asked_at < self._unknown_seconds:
            return False
        self._asked_at = self._clock()
        return await self.refresh()

    async def run(self) -> None:
        """Refresh forever: every `refresh_seconds`, and sooner after a failure."""
        failures = 0
        while True:
            failures = 0 if await self.refresh() else failures + 1
            await asyncio.sleep(self._delay_seconds(failures))

    async def close(self) -> None:
        """Cancel the running read, if any."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _delay_seconds(self, failures: int) -> float:
        if not failures:
            return self._refresh_seconds
        return Backoff(FIRST_RETRY_SECONDS, longest=self._refresh_seconds).delay(failures)

    async def _read(self) -> bool:
        try:
            self._store_keys(self._parse(await self._reader.read()))
        except (KeysUnavailable, InvalidKey) as error:
            self._log_change(str(error))
            return False
        except Exception as error:
            # A bug must neither stop the refresh nor fail the verification of a token.
            self._log_change(f"{type(error).__name__} (a bug)")
            return False
        finally:
            self.attempted.set()
        self._read_at = self._clock()
        self._log_change("")
        return True

    def _store_keys(self, keys: KeySet) -> None:
        if keys != self._keys:
            self._keys = keys
            self.changes += 1

    def _log_change(self, fault: str) -> None:
        """Log changes only, not each attempt."""
        if fault == self._fault:
            return
        self._fault = fault
        if fault:
            kept = "the last valid keys stay in use" if self.loaded else "there are no keys yet"
            log.warning("can't refresh the keys of %s: %s; %s", self._reader.where, fault, kept)
        else:
            log.info("the keys of %s are refreshed again", self._reader.where)
