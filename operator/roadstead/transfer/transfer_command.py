"""`roadstead transfer`: reads one job, runs it, says what happens."""

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
"""A thread that waits for the network is not waited for: what is uploaded is kept anyway."""


class Outlet:
    """Writes events, one line each; the last event closes it."""

    def __init__(
        self, stdout: IO[bytes], stop: threading.Event, told: Callable[[Event], None]
    ) -> None:
        self._stdout = stdout
        self._stop = stop
        self._told = told
        self._lock = threading.Lock()
        self._closed = False

    def emit(self, event: Event) -> None:
        """Write an event; a reader that is gone means that nobody wants the work any more."""
        with self._lock:
            self._write(event)

    def last(self, event: Event) -> None:
        """Write the last event, once."""
        with self._lock:
            if not self._closed:
                self._told(event)
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
    told: Callable[[Event], None] = lambda event: None,
    stopped: int = 0,
) -> int:
    """Run the job on `stdin`; returns 0 where it completed, `stopped` where it was, 1 if it failed.

    `told` is given the last event. Handles SIGTERM and SIGINT itself, so it is called on the main
    thread.
    """
    stop = threading.Event()
    outlet = Outlet(stdout, stop, told)
    with _stopped_by_signals(stop, outlet, stopped):
        try:
            job = TransferJob.parse(stdin.read())
            retry_policy = RetryPolicy(attempts=settings.attempts, stop=stop)
            outlet.last(Transfer(job, settings, retry_policy, outlet.emit).run())
        except Stopping:
            outlet.last(Stopped())
            return stopped
        except InvalidMessage as error:
            outlet.last(Failed(reason="InvalidJob", message=str(error), retry=Retry.ON_CHANGE))
            return 1
        except ModelError as error:
            log.error("%s: %s", error.reason, error)
            outlet.last(Failed(reason=error.reason, message=str(error), retry=error.retry))
            return 1
        except Exception as error:
            _crashed(error, outlet)
            return 1
    return 0


def _crashed(error: Exception, outlet: Outlet) -> None:
    # Only where, not what: the text of a foreign error may hold a URL with its signature.
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s\n%s", type(error).__name__, where)
    message = f"the transfer ended on {type(error).__name__}; its log says where"
    outlet.last(Failed(reason="TransferCrashed", message=message))


@contextmanager
def _stopped_by_signals(stop: threading.Event, outlet: Outlet, code: int) -> Iterator[None]:
    def give_up() -> None:
        outlet.last(Stopped())
        os._exit(code)

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()
        timer = threading.Timer(STOP_SECONDS, give_up)
        timer.daemon = True
        timer.start()

    before = {name: signal.signal(name, handle) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
