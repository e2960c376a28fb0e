"""`roadstead transfer`: reads one job, runs it and writes its events."""

from __future__ import annotations

import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Final

from roadstead.errors import InvalidMessage, ModelError, Retry
from roadstead.source.retry_policy import RetryPolicy, Stopping
from roadstead.transfer.messages import Event, Failed, Stopped, TransferJob, event_line
from roadstead.transfer.transfer_run import Transfer
from roadstead.transfer.transfer_settings import TransferSettings

log = logging.getLogger("roadstead.transfer")

STOP_SECONDS: Final = 3.0
"""Threads that wait for the network are not waited for longer: what was uploaded is kept."""


class Outlet:
    """Writes events, one line each, until the last event."""

    def __init__(
        self, stdout: IO[bytes], stop: threading.Event, on_last_event: Callable[[Event], None]
    ) -> None:
        self._stdout = stdout
        self._stop = stop
        self._on_last_event = on_last_event
        self._lock = threading.Lock()
        self._closed = False

    def emit(self, event: Event) -> None:
        """Write an event; if the reader is gone, the transfer stops."""
        with self._lock:
            self._write(event)

    def emit_last(self, event: Event) -> None:
        """Write the last event, once."""
        with self._lock:
            if not self._closed:
                self._on_last_event(event)
            self._write(event)
            self._closed = True

    def _write(self, event: Event) -> None:
        if self._closed:
            return
        try:
            self._stdout.write(event_line(event).encode() + b"\n")
            self._stdout.flush()
        except (OSError, ValueError):
            self._closed = True
            self._stop.set()


def run(
    settings: TransferSettings,
    stdin: IO[bytes],
    stdout: IO[bytes],
    *,
    on_last_event: Callable[[Event], None] = lambda event: None,
    stopped_code: int = 0,
) -> int:
    """Run the job on `stdin`; returns 0 if it completed, `stopped_code` if stopped, 1 if it failed.

    `on_last_event` is called with the last event. Handles SIGTERM and SIGINT, so it has to be
    called on the main thread.
    """
    stop = threading.Event()
    outlet = Outlet(stdout, stop, on_last_event)
    with _stop_on_signals(stop, outlet, stopped_code):
        try:
            job = TransferJob.parse(stdin.read())
            retry_policy = RetryPolicy(attempts=settings.attempts, stop=stop)
            outlet.emit_last(Transfer(job, settings, retry_policy, outlet.emit).run())
        except Stopping:
            outlet.emit_last(Stopped())
            return stopped_code
        except InvalidMessage as error:
            outlet.emit_last(Failed(reason="InvalidJob", message=str(error), retry=Retry.ON_CHANGE))
            return 1
        except ModelError as error:
            log.error("%s: %s", error.reason, error)
            outlet.emit_last(Failed(reason=error.reason, message=str(error), retry=error.retry))
            return 1
        except Exception as error:
            _report_crash(error, outlet)
            return 1
    return 0


def _report_crash(error: Exception, outlet: Outlet) -> None:
    # Only the traceback: the text of a library's error may contain a URL with its signature.
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s\n%s", type(error).__name__, where)
    message = f"the transfer crashed with {type(error).__name__}; its log has the traceback"
    outlet.emit_last(Failed(reason="TransferCrashed", message=message))


@contextmanager
def _stop_on_signals(stop: threading.Event, outlet: Outlet, code: int) -> Iterator[None]:
    def exit_now() -> None:
        outlet.emit_last(Stopped())
        os._exit(code)

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()
        timer = threading.Timer(STOP_SECONDS, exit_now)
        timer.daemon = True
        timer.start()

    before = {name: signal.signal(name, handle) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
