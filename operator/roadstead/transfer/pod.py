"""`roadstead transfer` in a Job's pod: reads the job from a file, writes the termination message.

The exit code is for the Job's controller. With 0 the transfer is finished: it completed, or
failed and the operator decides about retries. With any other code, another pod resumes it.
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

CONTINUE_EXIT_CODE: Final = 4
"""The exit code of a transfer that was stopped or was displaced by another pod."""
MAX_MESSAGE_BYTES: Final = 4096
"""The limit of Kubernetes for termination messages."""
DISPLACED_REASON: Final = "TransferDisplaced"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pod:
    """The file with the job, and the file for the outcome."""

    job_file: Path
    termination_log: Path

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Pod | None:
        """Read the environment; returns None if the job is on standard input."""
        job_file = environ.get("ROADSTEAD_TRANSFER_JOB_FILE", "")
        if not job_file:
            return None
        log = environ.get("ROADSTEAD_TRANSFER_TERMINATION_LOG", "/dev/termination-log")
        return cls(job_file=Path(job_file), termination_log=Path(log))

    def run(self, settings: TransferSettings, stdout: IO[bytes]) -> int:
        """Run the job on the main thread; returns the exit code."""
        try:
            job = self.job_file.read_bytes()
        except OSError as error:
            raise InvalidSettings(f"{self.job_file}: {error.strerror}") from None
        finished = False

        def on_event(event: Event) -> None:
            nonlocal finished
            finished = is_finished(event)
            if finished:
                self._write_outcome(event_line(event))

        code = run(
            settings,
            io.BytesIO(job),
            stdout,
            on_last_event=on_event,
            stopped_code=CONTINUE_EXIT_CODE,
        )
        return 0 if finished else code or CONTINUE_EXIT_CODE

    def _write_outcome(self, line: str) -> None:
        # The kubelet creates the file; without it, nothing reads the outcome.
        if self.termination_log.exists() and len(line.encode()) <= MAX_MESSAGE_BYTES:
            with contextlib.suppress(OSError):
                self.termination_log.write_text(line, encoding="utf-8")


def is_finished(event: Event) -> bool:
    """Whether the transfer is finished after this last event, so that no pod has to resume it."""
    if isinstance(event, Failed):
        return event.reason != DISPLACED_REASON
    return not isinstance(event, Stopped)
