"""`roadstead transfer` as a Job's pod: the job in a file, the outcome where Kubernetes keeps it.

The exit code tells the Job's controller whether the transfer is over. With 0 it is: it completed,
or failed, and the operator says what comes next. With anything else another pod goes on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from roadstead.errors import InvalidSettings
from roadstead.transfer.messages import Event, Failed, Stopped, event_line
from roadstead.transfer.transfer_command import run
from roadstead.transfer.transfer_settings import TransferSettings

GO_ON: Final = 4
"""The exit code of one that was asked to stop, or whose place another pod has taken."""
MAX_MESSAGE_BYTES: Final = 4096
"""What Kubernetes keeps of a termination message."""
DISPLACED: Final = "TransferDisplaced"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pod:
    """Where the job lies, and where the outcome is written."""

    job_file: Path
    termination_log: Path

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Pod | None:
        """From the environment; None where the job is on standard input."""
        job_file = environ.get("ROADSTEAD_TRANSFER_JOB_FILE", "")
        if not job_file:
            return None
        log = environ.get("ROADSTEAD_TRANSFER_TERMINATION_LOG", "/dev/termination-log")
        return cls(job_file=Path(job_file), termination_log=Path(log))

    def run(self, settings: TransferSettings, stdout: IO[bytes]) -> int:
        """Run the job; the exit code. On the main thread."""
        try:
            job = self.job_file.read_bytes()
        except OSError as error:
            raise InvalidSettings(f"{self.job_file}: {error.strerror}") from None
        over = False

        def on_event(event: Event) -> None:
            nonlocal over
            over = is_finished(event)
            if over:
                self._keep(event_line(event))

        code = run(settings, io.BytesIO(job), stdout, told=on_event, stopped=GO_ON)
        return 0 if over else code or GO_ON

    def _keep(self, line: str) -> None:
        # Written only where the kubelet made it; elsewhere there is nobody to read it.
        if self.termination_log.exists() and len(line.encode()) <= MAX_MESSAGE_BYTES:
            with contextlib.suppress(OSError):
                self.termination_log.write_text(line, encoding="utf-8")


def is_finished(event: Event) -> bool:
    """Whether no other pod has to go on after this last event."""
    if isinstance(event, Failed):
        return event.reason != DISPLACED
    return not isinstance(event, Stopped)
