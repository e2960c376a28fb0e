"""At most one candidate leads, with any delays, pauses and edits of the Lease."""

from __future__ import annotations

import dataclasses
import functools
import heapq
import itertools
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from roadstead.kube.lease import Action, Election, LeaseRecord, LeaseStep, LeaseTimes

TIMES = LeaseTimes()
LONG = 120.0


class World:
    """A Lease and its candidates on one timeline of ordered events."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lease: LeaseRecord | None = LeaseRecord(version="1")
        self._versions = itertools.count(2)
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._order), event))

    def run(self, until: float, after_each: Callable[[], None]) -> None:
        while self._due and self._due[0][0] <= until:
            self.now, _, event = heapq.heappop(self._due)
            event()
            after_each()

    def write(self, record: LeaseRecord) -> str:
        version = str(next(self._versions))
        self.lease = dataclasses.replace(record, version=version)
        return version

    def answer(self, step: LeaseStep) -> tuple[str, str]:
        """The API server's answer to a write: a keyword and the version."""
        if step.action is Action.CREATE:
            return ("refused", "") if self.lease else ("written", self.write(step.record))
        if self.lease is None:
            return "missing", ""
        if self.lease.version != step.record.version:
            return "refused", ""
        return "written", self.write(step.record)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault of a candidate for some time: `stopped`, or lost requests or answers."""

    what: str
    begins: float
    seconds: float

    def holds(self, now: float) -> bool:
        return self.begins <= now < self.begins + self.seconds


class Candidate:
    """Simulates `Elector.run`; its clock is off by `skew`, an answer takes `away` seconds."""

    def __init__(
        self, world: World, name: str, skew: float = 0, away: float = 0.02, *faults: Fault
    ) -> None:
        self.world = world
        self.election = Election(name, TIMES)
        self.skew = skew
        self.away = away
        self.faults = faults
        self.dead = False

    def clock(self) -> float:
        return self.world.now + self.skew

    def leads(self) -> bool:
        return self.election.leads(self.clock())

    def think(self) -> None:
        if self.dead or self.election.lost(self.clock()):
            return
        # Microseconds distinguish two claims; here many events happen at the same time.
        step = self.election.next(self.clock(), f"{self.world.now} {self.election.identity}")
        if step.delay > 0:
            self._later(step.delay, self.think)
        else:
            self._later(0, lambda: self._send(step))

    def _later(self, seconds: float, event: Callable[[], None]) -> None:
        """Schedule an event, deferred while the candidate is stopped."""
        when = self.world.now + seconds
        stops = [each for each in self.faults if each.what == "stopped" and each.holds(when)]
        self.world.at(max([when, *(each.begins + each.seconds for each in stops)]), event)

    def _has_fault(self, what: str) -> bool:
        return any(each.what == what and each.holds(self.world.now) for each in self.faults)

    def _send(self, step: LeaseStep) -> None:
        self.election.on_send(step, self.clock())
        if self._has_fault("requests lost"):
            self._later(5, self._on_timeout)
        else:
            sent = self.clock()
            self.world.at(self.world.now + self.away / 2, lambda: self._arrive(step, sent))

    def _arrive(self, step: LeaseStep, sent: float) -> None:
        if step.action is Action.READ:
            seen = self.world.lease
            callback: Callable[[], None] = lambda: self.election.on_read(seen, self.clock())  # noqa: E731
        else:
            word, version = self.world.answer(step)
            callback = lambda: self._on_answer(step, word, version, sent)  # noqa: E731
        if self._has_fault("answers lost"):
            self._later(5, self._on_timeout)
        else:
            self._later(self.away / 2, callback)
            self._later(self.away / 2, self.think)

    def _on_timeout(self) -> None:
        self.election.on_failure()
        self.think()

    def _on_answer(self, step: LeaseStep, word: str, version: str, sent: float) -> None:
        if word == "written":
            self.election.on_written(step.record, version, sent=sent, now=self.clock())
        elif word == "missing":
            self.election.on_read(None, self.clock())
        else:
            self.election.on_failure()


def _by_hand(world: World, how: str) -> None:
    """Edit the Lease manually; the new version counts like a renewal."""
    if how == "deleted":
        world.lease = None
    elif world.lease is not None and world.lease.renewed:
        changes: dict[str, dict[str, object]] = {
            "emptied": {"holder": ""},
            "given to a stranger": {"holder": "somebody"},
            "given to b": {"holder": "b"},
            "dated back": {"renewed": "1970", "acquired": "1970"},
            "shortened": {"duration": 2},
        }
        world.write(dataclasses.replace(world.lease, **changes[how]))  # type: ignore[arg-type]  # by name


faults = st.lists(
    st.builds(
        Fault,
        what=st.sampled_from(["stopped", "requests lost", "answers lost"]),
        begins=st.floats(0, 80, allow_nan=False),
        seconds=st.sampled_from([1.0, 5.0, 12.0, 60.0]),
    ),
    max_size=2,
)
delays = st.sampled_from([0.02, 0.5, 3.0])
hands = st.lists(
    st.tuples(
        st.floats(5, 80, allow_nan=False),
        st.sampled_from(
            ["deleted", "emptied", "given to a stranger", "given to b", "dated back", "shortened"]
        ),
    ),
    max_size=3,
)


@settings(max_examples=3 * settings().max_examples)
@given(
    faults=st.tuples(faults, faults, faults),
    delays=st.tuples(delays, delays, delays),
    by_hand=hands,
)
def test_there_are_never_two_leaders(
    faults: tuple[list[Fault], ...],
    delays: tuple[float, ...],
    by_hand: list[tuple[float, str]],
) -> None:
    world = World()
    candidates = [
        Candidate(world, name, skew, away, *each)
        for name, skew, away, each in zip("abc", (0, 1e6, -300), delays, faults, strict=True)
    ]
    for place, candidate in enumerate(candidates):
        world.at(place, candidate.think)
    for when, how in by_hand:
        world.at(when, functools.partial(_by_hand, world, how))
    world.run(LONG, lambda: _one_at_most(candidates))


def _one_at_most(candidates: list[Candidate]) -> None:
    leading = [each.election.identity for each in candidates if each.leads()]
    assert len(leading) <= 1, leading


@given(killed_at=st.floats(5, 40, allow_nan=False), polls=st.floats(0, 2, allow_nan=False))
def test_a_dead_leader_is_replaced_within_seventeen_seconds(killed_at: float, polls: float) -> None:
    world = World()
    first, second = (Candidate(world, name) for name in "ab")
    world.at(0, first.think)
    world.at(polls, second.think)
    world.run(killed_at, lambda: None)
    leader, other = (first, second) if first.leads() else (second, first)
    leader.dead = True
    led: list[float] = []
    world.run(killed_at + 17, lambda: led.append(world.now) if other.leads() else None)
    assert led
