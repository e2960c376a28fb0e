"""Copies the parts of an object, several at a time, and hashes them in order.

Each worker thread has one connection to the source and one sink. It takes the next part with a
buffer, reads into the buffer and sends the same bytes as they arrive. A hasher thread follows
the parts in order and releases a buffer once its part is hashed and written. Parts and buffers
are taken together and in order, so the part that the hasher waits for is always being read.

Threads are used because receiving, sending and sha256 release the interpreter lock.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from roadstead.source.ranges import RangeReader
from roadstead.source.retry_policy import TRANSIENT_ERRORS, RetryPolicy, Stopping
from roadstead.source.spans import CHUNK_BYTES, Layout, Span

REPORT_SECONDS: Final = 0.25


class Sink(Protocol):
    """Writes parts one after the other: begin, send as bytes arrive, finish; reset on failure."""

    def begin(self, span: Span) -> None:
        """Open a part."""

    def send(self, view: memoryview) -> None:
        """Write the part's next bytes."""

    def finish(self, span: Span) -> None:
        """Finish the part; returns once it is stored."""

    def reset(self) -> None:
        """Discard an open part and all buffered bytes; the sink may be used again."""


class Follower(Protocol):
    """Receives all bytes of the object in order, in its own thread."""

    def follow(self, view: memoryview) -> None:
        """Process the next bytes; an exception stops the pump."""


@dataclasses.dataclass
class _Slot:
    """A part in flight; `filled` only grows, `sunk` is set last."""

    span: Span
    buffer: memoryview
    filled: int = 0
    sunk: bool = False


class Pump:
    """Copies `spans` of one object; `run` may be called once.

    `follower` needs a layout with buffers and all spans of the object, in order. `known` reads
    the bytes of a part that exists already, for the follower only.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        spans: Sequence[Span],
        reader: Callable[[], RangeReader],
        sink: Callable[[], Sink],
        retry_policy: RetryPolicy,
        follower: Follower | None = None,
        known: Callable[[Span], Iterator[memoryview]] | None = None,
        done: frozenset[int] = frozenset(),
    ) -> None:
        if follower is not None and not layout.buffers:
            raise ValueError("a follower needs a layout with buffers")
        self._layout = layout
        self._spans = spans
        self._reader = reader
        self._sink = sink
        self._retry_policy = retry_policy
        self._follower = follower
        self._known = known
        self._done = done
        self._todo = deque(span for span in spans if span.number not in done)
        self._changed = threading.Condition()
        self._slots: dict[int, _Slot] = {}
        self._buffers: list[memoryview] = []
        self._readers: list[RangeReader] = []
        self._moved = 0
        self._failure: BaseException | None = None

    def run(self, report: Callable[[int], None]) -> None:
        """Copy all parts; calls `report` four times a second with the number of bytes copied.

        Raises Stopping, or the first error that isn't transient or exhausted its retries.
        """
        self._make_buffers()
        threads = [self._thread(self._work) for _ in range(self._layout.connections)]
        if self._follower is not None:
            threads.append(self._thread(self._follow))
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                self._join(threads, time.monotonic() + REPORT_SECONDS)
                for reader in tuple(self._readers):
                    reader.interrupt_if_slow()
                report(self._moved)
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            for thread in threads:
                thread.join()
        if self._failure is not None:
            raise self._failure
        if self._retry_policy.stop.is_set():
            raise Stopping

    def _join(self, threads: Sequence[threading.Thread], deadline: float) -> None:
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _make_buffers(self) -> None:
        count, size = self._layout.buffers, self._layout.part_size
        if not count:
            count, size = self._layout.connections, CHUNK_BYTES
        self._buffers = [memoryview(bytearray(size)) for _ in range(count)]

    def _thread(self, target: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                target()
            except BaseException as error:  # the main thread raises it
                self._fail(error)

        return threading.Thread(target=guarded, daemon=True)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    @property
    def _is_stopping(self) -> bool:
        return self._failure is not None or self._retry_policy.stop.is_set()

    # Workers

    def _work(self) -> None:
        reader, sink = self._reader(), self._sink()
        self._readers.append(reader)
        try:
            while (slot := self._next_slot()) is not None:
                self._move(slot, reader, sink)
        finally:
            reader.close()
            sink.reset()

    def _next_slot(self) -> _Slot | None:
        with self._changed:
            while not self._buffers and self._todo and not self._is_stopping:
                # The timeout is for `stop`, which is set elsewhere without a notification.
                self._changed.wait(REPORT_SECONDS)
            if self._is_stopping or not self._todo:
                return None
            slot = _Slot(span=self._todo.popleft(), buffer=self._buffers.pop())
            self._slots[slot.span.number] = slot
            self._changed.notify_all()
            return slot

    def _move(self, slot: _Slot, reader: RangeReader, sink: Sink) -> None:
        failures, furthest = 0, -1
        while True:
            try:
                return self._attempt(slot, reader, sink)
            except TRANSIENT_ERRORS:
                sink.reset()
                reader.close()
                failures = 1 if slot.filled > furthest else failures + 1
                furthest = max(furthest, slot.filled)
                if failures >= self._retry_policy.attempts:
                    raise
            self._check_running()
            self._retry_policy.pause(failures)

    def _attempt(self, slot: _Slot, reader: RangeReader, sink: Sink) -> None:
        span, whole = slot.span, bool(self._layout.buffers)
        if not whole:
            self._add_filled(slot, -slot.filled)
        sink.begin(span)
        if slot.filled:
            sink.send(slot.buffer[: slot.filled])
        if slot.filled < span.size:
            reader.open(span.start + slot.filled, span.size - slot.filled)
        while slot.filled < span.size:
            self._check_running()
            room = min(CHUNK_BYTES, span.size - slot.filled)
            at = slot.filled if whole else 0
            view = slot.buffer[at : at + room]
            count = reader.readinto(view)
            self._add_filled(slot, count)
            sink.send(view)
        sink.finish(span)
        self._mark_sunk(slot)

    def _check_running(self) -> None:
        if self._is_stopping:
            raise Stopping

    def _add_filled(self, slot: _Slot, count: int) -> None:
        with self._changed:
            slot.filled += count
            self._moved += count
            self._changed.notify_all()

    def _mark_sunk(self, slot: _Slot) -> None:
        with self._changed:
            slot.sunk = True
            if self._follower is None:
                self._release_buffer(slot)
            self._changed.notify_all()

    def _release_buffer(self, slot: _Slot) -> None:
        del self._slots[slot.span.number]
        self._buffers.append(slot.buffer)

    # The follower

    def _follow(self) -> None:
        for span in self._spans:
            if span.number in self._done:
                self._follow_known(span)
            else:
                self._follow_slot(span)

    def _follow_known(self, span: Span) -> None:
        if self._follower is None or self._known is None:
            raise AssertionError("parts that exist already need `known`")
        for view in self._known(span):
            self._check_running()
            self._follower.follow(view)

    def _follow_slot(self, span: Span) -> None:
        hashed = 0
        while hashed < span.size:
            slot, filled = self._wait_for_bytes(span, hashed)
            if self._follower is not None:
                self._follower.follow(slot.buffer[hashed:filled])
            hashed = filled
        with self._changed:
            while not self._slots[span.number].sunk:
                self._check_running()
                self._changed.wait(REPORT_SECONDS)
            self._release_buffer(self._slots[span.number])
            self._changed.notify_all()

    def _wait_for_bytes(self, span: Span, hashed: int) -> tuple[_Slot, int]:
        with self._changed:
            while True:
                self._check_running()
                slot = self._slots.get(span.number)
                if slot is not None and slot.filled > hashed:
                    return slot, slot.filled
                self._changed.wait(REPORT_SECONDS)
