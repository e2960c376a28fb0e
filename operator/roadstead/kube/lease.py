"""Who leads, as a Lease says it: the rules, without any I/O.

They are those of client-go's leaderelection, made stricter where a Lease is changed by hand:

- Nobody's clock but one's own counts. A record counts as renewed when it is *seen* to be another
  one; the times in it are for people.
- Who leads may write for `deadline` seconds after the moment at which its last renewal was sent.
  Another takes the place `duration` seconds after it saw the last change. What lies between is for
  requests that are under way.
- A place is taken by a write that holds only for the version that was looked at for so long.
- Who leads and finds another's name, or none, has lost. Who does not lead and finds its own name
  has not won: somebody wrote it there.
- A record without a holder is free at once only if its holder let go of it, which shows in its
  duration, or if nobody ever held it. A Lease that is gone is made anew, and only then waited for.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final, Self

from roadstead.api.raw import Raw, section

RELEASED_SECONDS: Final = 1
"""The duration in a record whose holder let go of it, as client-go writes it."""
LONGEST_SECONDS: Final = 300
"""No record is waited for longer: a longer duration than any setting was written by hand."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaseTimes:
    """Seconds: `renew` < `deadline` < `duration`."""

    duration: int = 15
    deadline: float = 10
    renew: float = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaseRecord:
    """A Lease's spec; `version` is the resourceVersion, empty for what is to be written."""

    holder: str = ""
    acquired: str = ""
    renewed: str = ""
    duration: int = 0
    transitions: int = 0
    version: str = ""

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From a Lease, or one that lacks anything."""
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
        """As a Lease's spec."""
        return {
            "holderIdentity": self.holder,
            "acquireTime": self.acquired or None,
            "renewTime": self.renewed,
            "leaseDurationSeconds": self.duration,
            "leaseTransitions": self.transitions,
        }

    @property
    def released(self) -> bool:
        """Whether its holder let go of it."""
        return not self.holder and self.duration == RELEASED_SECONDS

    @property
    def unused(self) -> bool:
        """Whether nobody ever held it, as the chart makes it."""
        return not self.holder and not self.renewed


class Known(enum.Enum):
    """What the last answer said of the Lease."""

    NOTHING = "nothing"
    ABSENT = "absent"
    SEEN = "seen"


class Action(enum.Enum):
    """What is asked of the API server."""

    READ = "read"
    WRITE = "write"
    """Refused unless the version is the one that was seen."""
    CREATE = "create"
    """Refused unless there is none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeaseStep:
    """`action` after `delay` seconds, unless something else makes sense by then."""

    action: Action
    delay: float
    record: LeaseRecord
    """What to write; for a read nothing."""


class Election:
    """One candidate: told what was asked and what came of it, says what to do next.

    `now` is always the candidate's own clock, `stamp` the time of day for people to read.
    """

    def __init__(self, identity: str, times: LeaseTimes) -> None:
        self.identity = identity
        self.times = times
        self.held_until: float | None = None
        """The end of what it may write; None before it led."""
        self._known = Known.NOTHING
        self._seen = LeaseRecord()
        self._since = float("-inf")
        self._asked = float("-inf")
        self._missed = float("-inf")
        self._claim = ""

    @property
    def holder(self) -> str:
        """Who held the Lease when it was seen last; empty for nobody."""
        return self._seen.holder

    def leads(self, now: float) -> bool:
        """Whether it may write."""
        return self.held_until is not None and now < self.held_until

    def lost(self, now: float) -> bool:
        """Whether it led and may write no more."""
        return self.held_until is not None and now >= self.held_until

    def next(self, now: float, stamp: str) -> LeaseStep:
        """What to do, and when."""
        action, at, record = (
            self._as_leader(stamp) if self.leads(now) else self._as_candidate(now, stamp)
        )
        return LeaseStep(action=action, delay=max(0.0, at - now), record=record)

    def asks(self, step: LeaseStep, now: float) -> None:
        """The step's request is about to be sent."""
        self._asked = now
        if step.record.holder:
            self._claim = step.record.acquired

    def read(self, record: LeaseRecord | None, now: float) -> None:
        """The answer was the Lease as it is; None if there is none."""
        if record is None:
            self._missed = self._missed if self._known is Known.ABSENT else now
            self._known = Known.ABSENT
            return
        self._known = Known.SEEN
        if self.leads(now) and record.holder != self.identity:
            self.held_until = now
        if record.version != self._seen.version:
            self._seen, self._since = record, now

    def wrote(self, record: LeaseRecord, version: str, *, sent: float, now: float) -> None:
        """The answer was that what was sent at `sent` is written."""
        self._known = Known.SEEN
        self._seen, self._since = dataclasses.replace(record, version=version), now
        until = sent + self.times.deadline
        if record.holder and until > now:
            self.held_until = until

    def failed(self) -> None:
        """There was no answer, or a refusal: what is there now has to be read."""
        self._known = Known.NOTHING

    def release(self, now: float, stamp: str) -> LeaseRecord | None:
        """What to write to let go of the Lease; None if it isn't held. It leads no more."""
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
            # Who holds it has time to make it anew. If it does not, this is nobody's yet: the
            # holder may still write, and finds out that it has lost.
            vacant = LeaseRecord(renewed=stamp, duration=self.times.duration)
            return Action.CREATE, max(again, self._missed + 2 * self.times.renew), vacant
        if self._known is Known.NOTHING:
            return Action.READ, again, LeaseRecord()
        free = self._since + self._patience()
        if now < free:
            return Action.READ, min(again, free), LeaseRecord()
        claim = LeaseRecord(
            holder=self.identity,
            acquired=stamp,
            renewed=stamp,
            duration=self.times.duration,
            transitions=self._seen.transitions + 1,
            version=self._seen.version,
        )
        return Action.WRITE, now, claim

    def _patience(self) -> float:
        """How long the record must be seen unchanged before its place may be taken."""
        seen = self._seen
        if seen.released or (seen.holder == self.identity and seen.acquired == self._claim):
            return 0  # In the second case our claim came through, and only its answer did not.
        if seen.unused:
            return 2 * self.times.renew  # Should it have been emptied by hand, that is noticed.
        return max(self.times.duration, min(seen.duration, LONGEST_SECONDS))
