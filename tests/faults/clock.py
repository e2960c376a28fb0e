"""A time of day for single processes that a test can change: libfaketime."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dev.debian import unpack


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clock:
    """Processes with `environ` use this clock. Monotonic clocks don't change, as with NTP."""

    file: Path

    @classmethod
    def unchanged(cls, folder: Path) -> Clock:
        """A clock with the right time."""
        clock = cls(file=folder / "clock")
        clock.jump(0)
        return clock

    @property
    def environ(self) -> dict[str, str]:
        """Settings of libfaketime, which reads its file at each query of the clock."""
        (library,) = unpack("libfaketime").glob("usr/lib/*/faketime/libfaketime.so.1")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """Set the clock ahead by this many seconds, or back if negative."""
        self.file.write_text(f"{seconds:+d}\n")
