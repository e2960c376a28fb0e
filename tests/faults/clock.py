"""A time of day for some processes alone, which a test can move: libfaketime."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dev.debian import unpack


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clock:
    """What is started with `environ` goes by it. Monotonic clocks are left alone, as NTP does."""

    file: Path

    @classmethod
    def right(cls, folder: Path) -> Clock:
        """One that goes right."""
        clock = cls(file=folder / "clock")
        clock.jump(0)
        return clock

    @property
    def environ(self) -> dict[str, str]:
        """libfaketime, asked anew for each look at the clock."""
        (library,) = unpack("libfaketime").glob("usr/lib/*/faketime/libfaketime.so.1")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """From now on it is so far ahead, or behind where negative."""
        self.file.write_text(f"{seconds:+d}\n")
