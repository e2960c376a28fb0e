"""The timeline of a server: status changes and admission decisions (pure)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from roadstead.console.web.formatting import reason_text

MAX_ENTRIES: Final = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Happening:
    """A status change with `status`, or a decision with `allowed`, `operation` and `subject`."""

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
    """Merge both, newest first."""
    changes = [
        Happening(
            kind="status",
            at=each["at"],
            status=each["status"],
            text=reason_text(each["status_reason"], each["status_message"]),
        )
        for each in history
    ]
    decisions = [
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
    return sorted((*changes, *decisions), key=lambda each: each.at, reverse=True)[:MAX_ENTRIES]
