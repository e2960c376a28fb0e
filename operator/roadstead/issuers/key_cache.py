"""One issuer's keys, kept fresh in the background and served from memory."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from typing import Final

from roadstead.errors import InvalidKey
from roadstead.issuers.key_reader import KeysUnavailable, Reader
from roadstead.tokens.keys import Key, KeySet

REFRESH_SECONDS: Final = 300.0
FILE_REFRESH_SECONDS: Final = 5.0
UNKNOWN_KEY_SECONDS: Final = 60.0
FIRST_RETRY_SECONDS: Final = 1.0

Clock = Callable[[], float]
"""Seconds that only go forward, such as time.monotonic."""

log = logging.getLogger(__name__)


class KeyCache:
    """The keys that `reader` had last, as `parse` understood them.

    The last good set stays while the issuer is down or answers junk. A KeyLookup that never waits;
    `refresh_unknown` is for a token whose key is not known, once in `unknown_seconds` at most.
    """

    def __init__(
        self,
        reader: Reader,
        parse: Callable[[bytes], KeySet],
        *,
        clock: Clock,
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
        """Set once the first reading has ended, well or not."""
        self.changes = 0
        """How often the keys have become others: what was verified before may not hold any more."""

    @property
    def loaded(self) -> bool:
        """Whether there are keys at all."""
        return self._keys is not None

    @property
    def age(self) -> float:
        """Seconds since the keys were last read well; infinite if never."""
        return self._clock() - self._read_at

    def named(self, kid: str) -> Sequence[Key]:
        """The keys of that id, as of the last good reading."""
        return self._keys.named(kid) if self._keys else ()

    async def refresh(self) -> bool:
        """Read now, or join who reads already; False, with the old keys, if that fails."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._read(), name=f"read {self._reader.where}")
        # Who waits may give up (an admission has its deadline); the reading goes on for the others.
        return await asyncio.shield(self._running)

    async def refresh_unknown(self) -> bool:
        """Read for a key that is not known; False if that was done within the last minute.

        Who comes while such a reading is under way gets its result.
        """
        if self._running is not None and not self._running.done():
            return await asyncio.shield(self._running)
        if self._clock() - self._asked_at < self._unknown_seconds:
            return False
        self._asked_at = self._clock()
        return await self.refresh()

    async def run(self) -> None:
        """Refresh for ever: each `refresh_seconds`, and sooner after a failure."""
        failures = 0
        while True:
            failures = 0 if await self.refresh() else failures + 1
            await asyncio.sleep(self._pause(failures))

    async def close(self) -> None:
        """End the reading that is under way, if there is one."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _pause(self, failures: int) -> float:
        if not failures:
            return self._refresh_seconds
        return min(self._refresh_seconds, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16))

    async def _read(self) -> bool:
        try:
            self._take(self._parse(await self._reader.read()))
        except (KeysUnavailable, InvalidKey) as error:
            self._report(str(error))
            return False
        except Exception as error:
            # A defect of ours must neither end the refreshing nor reach who verifies a token.
            self._report(f"{type(error).__name__} (a defect)")
            return False
        finally:
            self.attempted.set()
        self._read_at = self._clock()
        self._report("")
        return True

    def _take(self, keys: KeySet) -> None:
        if keys != self._keys:
            self._keys = keys
            self.changes += 1

    def _report(self, fault: str) -> None:
        """A line for each change, not for each attempt."""
        if fault == self._fault:
            return
        self._fault = fault
        if fault:
            kept = "the last keys stay in use" if self.loaded else "there are no keys yet"
            log.warning("keys of %s can't be used: %s; %s", self._reader.where, fault, kept)
        else:
            log.info("keys of %s are read again", self._reader.where)
