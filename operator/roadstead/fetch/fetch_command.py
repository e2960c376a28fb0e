"""`roadstead fetch`: brings the model to the volume, or says in one line why not."""

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
STOPPED: Final = 143
"""As a shell says of what SIGTERM ended."""
MAX_MESSAGE_BYTES: Final = 4096
"""What Kubernetes keeps of a termination message."""


def run(settings: FetchSettings) -> int:
    """Fetch; returns 0, 1 where it failed, 143 where it was stopped. On the main thread."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()
        timer = threading.Timer(STOP_SECONDS, lambda: os._exit(STOPPED))
        timer.daemon = True
        timer.start()

    before = {name: signal.signal(name, handle) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        Fetch(settings, RetryPolicy(attempts=settings.attempts, stop=stop)).run()
    except Stopping:
        return STOPPED
    except ModelError as error:
        _say(f"{error.reason}: {error}", settings.termination_log)
        return 1
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    return 0


def _say(line: str, termination_log: Path) -> None:
    """One line for `kubectl logs` and for `kubectl describe`."""
    print(line, file=sys.stderr, flush=True)
    # Written only where the kubelet made it; elsewhere there is nobody to read it.
    if termination_log.exists():
        with contextlib.suppress(OSError):
            termination_log.write_bytes(line.encode()[:MAX_MESSAGE_BYTES])
