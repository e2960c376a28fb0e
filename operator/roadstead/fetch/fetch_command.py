"""`roadstead fetch`: downloads the model to the volume, or reports in one line why it failed."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Final

from roadstead.errors import ModelError
from roadstead.fetch.fetch_run import Fetch
from roadstead.fetch.fetch_settings import FetchSettings
from roadstead.source.retry_policy import RetryPolicy, Stopping

log = logging.getLogger("roadstead.fetch")

STOP_SECONDS: Final = 3.0
STOPPED_EXIT_CODE: Final = 143
"""128 plus SIGTERM, the exit code of shells for a terminated process."""
MAX_MESSAGE_BYTES: Final = 4096
"""The limit of Kubernetes for termination messages."""


def run(settings: FetchSettings) -> int:
    """Fetch on the main thread; returns 0, 1 if it failed, 143 if it was stopped."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()
        timer = threading.Timer(STOP_SECONDS, lambda: os._exit(STOPPED_EXIT_CODE))
        timer.daemon = True
        timer.start()

    before = {name: signal.signal(name, handle) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        Fetch(settings, RetryPolicy(attempts=settings.attempts, stop=stop)).run()
    except Stopping:
        return STOPPED_EXIT_CODE
    except ModelError as error:
        _report_failure(f"{error.reason}: {error}", settings.termination_log)
        return 1
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    return 0


def _report_failure(line: str, termination_log: Path) -> None:
    """Write one line for `kubectl logs` and `kubectl describe`."""
    print(line, file=sys.stderr, flush=True)
    # The kubelet creates the file; without it, nothing reads the line.
    if termination_log.exists():
        with contextlib.suppress(OSError):
            termination_log.write_bytes(line.encode()[:MAX_MESSAGE_BYTES])
