"""What ties a transfer to the operator that started it: it does not outlive its right to write."""

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
ALONE: Final = 3
"""The exit code of a transfer that nobody answers for any more."""


def tethered(settings: TransferSettings, environ: Mapping[str, str]) -> TransferSettings:
    """The settings of a transfer that obeys its operator's fence; without one, as they are.

    From now on the process ends, at once and wherever it is, when the operator is gone or leads no
    more: what it has uploaded stays for the next one.
    """
    fd = environ.get("ROADSTEAD_FENCE_FD", "")
    if not fd:
        return settings
    try:
        fence = Fence.inherited(int(fd))
    except (ValueError, OSError):
        raise InvalidSettings(f"ROADSTEAD_FENCE_FD: {fd!r} is no memory of an operator") from None
    threading.Thread(target=_watch, args=(fence, os.getppid()), daemon=True).start()
    return dataclasses.replace(settings, store=dataclasses.replace(settings.store, fence=fence))


def _watch(fence: Fence, parent: int) -> None:
    while fence.left() > 0 and os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(ALONE)
