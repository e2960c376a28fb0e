"""The rules of the election by a Lease, without I/O.

They are those of client-go's leaderelection, but stricter if a Lease is edited manually:

- Only the candidate's own clock counts. A record counts as renewed when a changed one is *read*;
  the times in it are for people.
- The leader may write for `deadline` seconds after it sent its last renewal. Another candidate
  acquires the Lease `duration` seconds after it read the last change. The time in between is for
  requests in flight.
- The Lease is acquired by a write that is conditional on the version that was read.
- A leader that reads another holder, or none, has lost the Lease. A candidate that reads its own
  name without having written it does not lead.
- A record without a holder can be acquired at once only if its holder released it, which its
  duration shows, or if it was never held. A deleted Lease is created again, then waited for.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final, Self

from roadstead.api.raw import Raw, section

RELEASED_SECONDS: Final = 1
"""The duration in a released record, as client-go writes it."""
MAX_LEASE_SECONDS: Final = 300
"""The longest wait for a record: no setting allows a longer duration."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaseTimes:
    """Seconds: `renew` < `deadline` < `duration`."""

    duration: int = 15
    deadline: float = 10
    renew: float = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaseRecord:
    """The spec of a Lease; `version` is its resourceVersion, empty if it is new."""

    holder: str = ""
    acquired: str = ""
    renewed: str = ""
    duration: int = 0
    transitions: int = 0
    version: str = ""

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """Parse a Lease, in which any field may be missing."""
        spec = section(raw, "spec")
        return cls(
            holder=spec.get("holderIdentity") or "",
            acquired=spec.get("acquireTime") or "",
            renewed=spec.get("renewTime") or "",
            duration=spec.get("leaseDurationSeconds") or 0,
            transitions=spec.get("leaseTransitions") or 0,
            version=section(raw, "metadata").get("resourceVersion", ""),
        )

    def spec(self) -> Raw:
        """The spec as JSON."""
        return {
            "holderIdentity": self.holder,
            "acquireTime": self.acquired or None,
            "renewTime": self.renewed,
            "leaseDurationSeconds": self.duration,
            "leaseTransitions": self.transitions,
        }

    @property
    def released(self) -> bool:
        """Whether its holder released it."""
        return not self.holder and self.duration == RELEASED_SECONDS

    @property
    def unused(self) -> bool:
        """Whether it was never held, as the chart creates it."""
        return not self.holder and not self.renewed


class Known(enum.Enum):
    """The state of the Lease by the last answer."""

    NOTHING = "nothing"
    ABSENT = "absent"
    SEEN = "seen"


class Action(enum.Enum):
    """A request to the API server."""

    READ = "read"
    WRITE = "write"
    """Fails if the version is not the one that was read."""
    CREATE = "create"
    """Fails if the Lease exists."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaseStep:
    """`action` after `delay` seconds; then the next step is computed again."""

    action: Action
    delay: float
    record: LeaseRecord
    """The record to write; empty for a read."""


class Election:
    """One candidate: computes the next step from its requests and their results.

    `now` is always the candidate's own clock, `stamp` the time of day, for people.
    """

    def __init__(self, identity: str, times: LeaseTimes) -> None:
        self.identity = identity
        self.times = times
        self.held_until: float | None = None
        """Until when it may write; None before it led."""
        self._known = Known.NOTHING
        self._seen = LeaseRecord()
        self._since = float("-inf")
        self._asked = float("-inf")
        self._missed = float("-inf")
        self._claim = ""

    @property
    def holder(self) -> str:
        """The holder of the Lease when it was last read; empty without one."""
        return self._seen.holder

    def leads(self, now: float) -> bool:
        """Whether it may write."""
        return self.held_until is not None and now < self.held_until

    def lost(self, now: float) -> bool:
        """Whether it led and may no longer write."""
        return self.held_until is not None and now >= self.held_until

    def next(self, now: float, stamp: str) -> LeaseStep:
        """The next step."""
        action, at, record = (
            self._as_leader(stamp) if self.leads(now) else self._as_candidate(now, stamp)
        )
        return LeaseStep(action=action, delay=max(0.0, at - now), record=record)

    def on_send(self, step: LeaseStep, now: float) -> None:
        """Record that the request of a step is about to be sent."""
        self._asked = now
        if step.record.holder:
            self._claim = step.record.acquired

    def on_read(self, record: LeaseRecord | None, now: float) -> None:
        """Record that the Lease was read; None if it does not exist."""
        if record is None:
            self._missed = self._missed if self._known is Known.ABSENT else now
            self._known = Known.ABSENT
            return
        self._known = Known.SEEN
        if self.leads(now) and record.holder != self.identity:
            self.held_until = now
        if record.version != self._seen.version:
            self._seen, self._since = record, now

    def on_written(self, record: LeaseRecord, version: str, *, sent: float, now: float) -> None:
        """Record that the request sent at `sent` has written the Lease."""
        self._known = Known.SEEN
        self._seen, self._since = dataclasses.replace(record, version=version), now
        until = sent + self.times.deadline
        if record.holder and until > now:
            self.held_until = until

    def on_failure(self) -> None:
        """Record that a request failed or had no answer: the Lease must be read."""
        self._known = Known.NOTHING

    def release(self, now: float, stamp: str) -> LeaseRecord | None:
        """Stop leading; returns the record that releases the Lease, None if it is not held."""
        held, self.held_until = self.leads(now), now
        if not held:
            return None
        return dataclasses.replace(self._seen, holder="", renewed=stamp, duration=RELEASED_SECONDS)

    def _as_leader(self, stamp: str) -> tuple[Action, float, LeaseRecord]:
        again = self._asked + self.times.renew / 4
        if self._known is Known.NOTHING:
            return Action.READ, again, LeaseRecord()
        mine = dataclasses.replace(
            self._seen,
            holder=self.identity,
            acquired=self._claim,
            renewed=stamp,
            duration=self.times.duration,
        )
        if self._known is Known.ABSENT:
            return Action.CREATE, again, mine
        return Action.WRITE, self._asked + self.times.renew, mine

    def _as_candidate(self, now: float, stamp: str) -> tuple[Action, float, LeaseRecord]:
        again = self._asked + self.times.renew / 2
        if self._known is Known.ABSENT:
            # The leader has time to create it again. If it does not, the new Lease has no holder
            # yet: the leader may still write, and reads that it has lost the Lease.
            vacant = LeaseRecord(renewed=stamp, duration=self.times.duration)
            return Action.CREATE, max(again, self._missed + 2 * self.times.renew), vacant
        if self._known is Known.NOTHING:
            return Action.READ, again, LeaseRecord()
        available = self._since + self._wait_seconds()
        if now < available:
            return Action.READ, min(again, available), LeaseRecord()
        claim = LeaseRecord(
            holder=self.identity,
            acquired=stamp,
            renewed=stamp,
            duration=self.times.duration,
            transitions=self._seen.transitions + 1,
            version=self._seen.version,
        )
        return Action.WRITE, now, claim

    def _wait_seconds(self) -> float:
        """How long the record must be unchanged before the Lease may be acquired."""
        seen = self._seen
        if seen.released or (seen.holder == self.identity and seen.acquired == self._claim):
            return 0  # In the second case our write succeeded, and only its answer was lost.
        if seen.unused:
            return 2 * self.times.renew  # If it was cleared manually, the leader notices.
        return max(self.times.duration, min(seen.duration, MAX_LEASE_SECONDS))
