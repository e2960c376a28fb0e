"""The interface of transfer runners: a child process of the operator, or a Kubernetes Job."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from roadstead.transfer.messages import Completed, Event, Failed, Stopped, TransferJob

Outcome = Completed | Failed | Stopped


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blocked:
    """Why a transfer can't start or continue for now; an empty reason means that it can again."""

    reason: str = ""
    message: str = ""


EventHandler = Callable[[Event | Blocked], None]
"""Called with each event of a transfer but the last, in the event loop; must not block."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferAttempt:
    """One attempt to transfer a Model; `number` starts at 1.

    `inputs` is a digest of everything that the job was built from.
    """

    job: TransferJob
    inputs: str
    number: int

    @property
    def uid(self) -> str:
        """The Model's UID."""
        return self.job.model_uid


class TransferRunner(Protocol):
    """Runs one transfer of a Model at a time."""

    async def run(self, attempt: TransferAttempt, on_event: EventHandler) -> Outcome:
        """Run the transfer and return its outcome; if cancelled, its upload is kept."""

    async def find_running(self) -> Sequence[TransferAttempt]:
        """The attempts that an earlier operator left running; `run` follows them."""

    async def clear(self, uid: str) -> bool:
        """Delete what remains of a Model's transfer; returns whether nothing remains."""


def crashed(how: str) -> Failed:
    """The outcome of a transfer that reported none."""
    return Failed(
        reason="TransferCrashed", message=f"the transfer's {how}; it is started again and resumes"
    )
