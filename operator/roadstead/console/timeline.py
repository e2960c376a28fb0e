"""What happened to a server: turns of its status, and what was asked and answered (pure)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from roadstead.console.formatting import reason_text

SHOWN: Final = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Happening:
    """`status` is of a turn; `allowed`, `operation` and `subject` of an admission."""

    kind: Literal["status", "admission"]
    at: datetime.datetime
    text: str
    status: str = ""
    allowed: bool = True
    operation: str = ""
    subject: str = ""


def timeline(
    history: Iterable[Mapping[str, Any]], admissions: Iterable[Mapping[str, Any]]
) -> list[Happening]:
    """Both together, newest first."""
    turns = [
        Happening(
            kind="status",
            at=each["at"],
            status=each["status"],
            text=reason_text(each["status_reason"], each["status_message"]),
        )
        for each in history
    ]
    decided = [
        Happening(
            kind="admission",
            at=each["at"],
            allowed=each["allowed"],
            operation=each["operation"],
            subject=each["subject"],
            text="" if each["allowed"] else each["message"],
        )
        for each in admissions
    ]
    return sorted((*turns, *decided), key=lambda each: each.at, reverse=True)[:SHOWN]
