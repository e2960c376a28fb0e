"""Ties a transfer to the operator that started it: it exits when the operator may not write."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Mapping
from typing import Final

from roadstead.errors import InvalidSettings
from roadstead.fence import Fence
from roadstead.transfer.transfer_settings import TransferSettings

PARENT_CHECK_SECONDS: Final = 0.25
FENCED_EXIT_CODE: Final = 3
"""The exit code of a transfer whose operator is gone or no longer leads."""


def tether(settings: TransferSettings, environ: Mapping[str, str]) -> TransferSettings:
    """Return settings with the operator's fence, or unchanged settings if there is no fence.

    From now on the process exits at once when the operator is gone or no longer leads; what it has
    uploaded is kept for the next run.
    """
    fd = environ.get("ROADSTEAD_FENCE_FD", "")
    if not fd:
        return settings
    try:
        fence = Fence.inherited(int(fd))
    except (ValueError, OSError):
        raise InvalidSettings(f"ROADSTEAD_FENCE_FD: invalid descriptor {fd!r}") from None
    threading.Thread(target=_watch, args=(fence, os.getppid()), daemon=True).start()
    return dataclasses.replace(settings, store=dataclasses.replace(settings.store, fence=fence))


def _watch(fence: Fence, parent: int) -> None:
    while fence.left() > 0 and os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(FENCED_EXIT_CODE)
