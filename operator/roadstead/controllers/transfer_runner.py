"""What runs a transfer: a process of the operator's own, or a Kubernetes Job."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from roadstead.transfer.messages import Completed, Event, Failed, Stopped, TransferJob

Outcome = Completed | Failed | Stopped


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blocked:
    """Why a transfer can't begin or go on for now; with an empty reason it can again."""

    reason: str = ""
    message: str = ""


EventHandler = Callable[[Event | Blocked], None]
"""Is told each event of a transfer but the last, in the event loop; must not block."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferAttempt:
    """One attempt to bring a Model; `number` counts from 1.

    `inputs` stands for all that the job was made from; another value means another chance.
    """

    job: TransferJob
    inputs: str
    number: int

    @property
    def uid(self) -> str:
        """The Model's."""
        return self.job.model_uid


class TransferRunner(Protocol):
    """Runs one transfer of a Model at a time."""

    async def run(self, attempt: TransferAttempt, hears: EventHandler) -> Outcome:
        """Run it to its end, and say what came of it. Cancelled, its upload is kept."""

    async def found(self) -> Sequence[TransferAttempt]:
        """What an earlier operator began and left to the next one; `run` goes on with it."""

    async def clear(self, uid: str) -> bool:
        """Take away what is left of a Model's transfer; whether nothing of it is there now."""


def crashed(how: str) -> Failed:
    """The outcome of one that did not tell any."""
    return Failed(
        reason="TransferCrashed",
        message=f"the transfer's {how}; it is started again and goes on where it was",
    )
