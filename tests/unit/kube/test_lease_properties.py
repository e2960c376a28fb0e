"""However slow the network, whoever is stopped and whatever is done to the Lease: one leads."""

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
    """A Lease and its candidates on one axis of time; events happen in the order of theirs."""

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
        """What the API server says to a write: a word, and the version."""
        if step.action is Action.CREATE:
            return ("refused", "") if self.lease else ("written", self.write(step.record))
        if self.lease is None:
            return "missing", ""
        if self.lease.version != step.record.version:
            return "refused", ""
        return "written", self.write(step.record)


@dataclasses.dataclass(frozen=True)
class Fault:
    """What befalls one candidate for a while: `stopped`, or its requests or answers are lost."""

    what: str
    begins: float
    seconds: float

    def holds(self, now: float) -> bool:
        return self.begins <= now < self.begins + self.seconds


class Candidate:
    """Does what `Elector.run` does, in a World; its clock is `skew` off, an answer takes `away`."""

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
        # Microseconds tell two claims apart; here many things happen at the same moment.
        step = self.election.next(self.clock(), f"{self.world.now} {self.election.identity}")
        if step.delay > 0:
            self._later(step.delay, self.think)
        else:
            self._later(0, lambda: self._send(step))

    def _later(self, seconds: float, event: Callable[[], None]) -> None:
        """Not while it is stopped, as nothing happens then."""
        when = self.world.now + seconds
        stops = [each for each in self.faults if each.what == "stopped" and each.holds(when)]
        self.world.at(max([when, *(each.begins + each.seconds for each in stops)]), event)

    def _suffers(self, what: str) -> bool:
        return any(each.what == what and each.holds(self.world.now) for each in self.faults)

    def _send(self, step: LeaseStep) -> None:
        self.election.on_send(step, self.clock())
        if self._suffers("requests lost"):
            self._later(5, self._unheard)
        else:
            sent = self.clock()
            self.world.at(self.world.now + self.away / 2, lambda: self._arrive(step, sent))

    def _arrive(self, step: LeaseStep, sent: float) -> None:
        if step.action is Action.READ:
            seen = self.world.lease
            heard: Callable[[], None] = lambda: self.election.on_read(seen, self.clock())  # noqa: E731
        else:
            word, version = self.world.answer(step)
            heard = lambda: self._hear(step, word, version, sent)  # noqa: E731
        if self._suffers("answers lost"):
            self._later(5, self._unheard)
        else:
            self._later(self.away / 2, heard)
            self._later(self.away / 2, self.think)

    def _unheard(self) -> None:
        self.election.on_failure()
        self.think()

    def _hear(self, step: LeaseStep, word: str, version: str, sent: float) -> None:
        if word == "written":
            self.election.on_written(step.record, version, sent=sent, now=self.clock())
        elif word == "missing":
            self.election.on_read(None, self.clock())
        else:
            self.election.on_failure()


def _by_hand(world: World, how: str) -> None:
    """What people do to a Lease; afterwards it is as changed as if its holder had renewed it."""
    if how == "deleted":
        world.lease = None
    elif world.lease is not None and world.lease.renewed:
        changes: dict[str, dict[str, object]] = {
            "emptied": {"holder": ""},
            "given to nobody known": {"holder": "somebody"},
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
            ["deleted", "emptied", "given to nobody known", "given to b", "dated back", "shortened"]
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
def test_never_do_two_lead(
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
def test_dead_leader_is_replaced_within_seventeen_seconds(killed_at: float, polls: float) -> None:
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
